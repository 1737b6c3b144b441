import { type Route, routesOf } from '../core/route.ts'
import { original } from './api.ts'
import { registerSecretKey, sendOtp, verifyOtp } from './operations.ts'
import { send } from './otp.ts'
import { register } from './register.ts'
import { verify } from './verify.ts'

const route = routesOf(original)

/** Method, path, caller, documentation, handler. */
export const originalRoutes: Route[] = [
  route('POST', '/reg_secretkey', 'registrar', registerSecretKey, register),
  route('POST', '/otp', 'anybody', sendOtp, send),
  route('POST', '/verify-otp', 'anybody', verifyOtp, verify),
]
