-- Sends the requests of a file, one a line: path, tab, body, and where it differs from that of the
-- arguments a tab and the authorization. Prints one line of JSON at the end.
-- wrk ... -- FILE AUTHORIZATION [HEADER]

local file
local authorization
local before
local after

function init(args)
  file = assert(io.open(args[1]))
  authorization = args[2]
  before = " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: "
  after = "\r\n" .. (args[3] and args[3] .. "\r\n" or "") .. "Content-Length: "
end

function request()
  local line = file:read()
  if line == nil then
    -- Begins again: a check of a used code is refused, which ends the run.
    file:seek("set")
    line = file:read()
  end
  local path, body, own = line:match("^([^\t]*)\t([^\t]*)\t?(.*)$")
  local who = own == "" and authorization or own
  return "POST " .. path .. before .. who .. after .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
