import { t } from 'elysia'

const secretKey = t.String({
  minLength: 8,
  maxLength: 256,
  description: 'The app’s key, of your choosing: 8 to 256 characters. Whoever knows it is the app.',
})
const mail = t.String({ maxLength: 254, description: 'The recipient: one e-mail address.' })

export const registerDoc = {
  summary: 'Register a secretKey and its mail server',
  description:
    'Needs `Authorization: Bearer <admin token>` unless registration is open. A taken ' +
    'secretKey is never overwritten. Where registration is open and no token comes along, the ' +
    'mail server must have public addresses only, and one address may call 10 times a minute.',
  draft: t.Object({
    secretKey,
    smtp_host: t.String({ description: 'Host name of the mail server.' }),
    smtp_port: t.Number({ description: '465 is implicit TLS; any other port needs STARTTLS.' }),
    smtp_mail: t.String({
      description: 'The From address, and the user unless smtp_user is given.',
    }),
    smtp_password: t.String({ description: 'Stored encrypted, bound to host, port and user.' }),
    smtp_user: t.Optional(t.String({ description: 'Where the user is not the address.' })),
    smtp_from_name: t.Optional(t.String({ description: 'The sender’s name, 1 to 64 characters.' })),
    smtp_security: t.Optional(
      t.String({ description: '`tls`, `starttls`, or, for the operator only, `none`.' }),
    ),
  }),
  example: {
    secretKey: 'a-long-secret-of-your-own',
    smtp_host: 'smtp.example.com',
    smtp_port: 587,
    smtp_mail: 'codes@example.com',
    smtp_password: 'the mailbox password',
  },
  answers: {
    200: { description: 'Registered.', example: 'Registration of secretKey succeeded.' },
    400: {
      description: 'A field is missing or wrong, or the secretKey is taken.',
      example: 'Error: smtp_host is missing',
    },
    401: {
      description: 'Registration is closed, or the admin token is wrong.',
      example: 'Error: Registration is closed',
    },
    429: {
      description: 'Too many calls without a valid key; see Retry-After, in seconds.',
      example: 'Error: Too many requests',
    },
  },
}

export const otpDoc = {
  summary: 'Mail a code',
  description:
    'Answers once the mail server has accepted the mail, after 20 seconds at most. With the ' +
    'shareableKey of a live code the same code is mailed again.',
  draft: t.Object({
    mail,
    secretKey,
    shareableKey: t.Optional(t.String({ description: 'A live one: the same code again.' })),
  }),
  example: { mail: 'ada@example.com', secretKey: 'a-long-secret-of-your-own' },
  answers: {
    200: { description: 'The shareable key.', example: '2sXyKBqCk1uT5vYw8ZaDfG' },
    400: {
      description: 'Unknown secretKey, bad address, or the mail was refused.',
      example: 'Error: mail must be one e-mail address like ada@example.com',
    },
    429: {
      description: 'A limit was hit; see Retry-After, in seconds.',
      example: 'Error: Too many requests',
    },
  },
}

export const verifyDoc = {
  summary: 'Check a code',
  description:
    'A wrong code costs an attempt; what cannot be the code at all costs none. The last wrong ' +
    'attempt answers 403, every later one `Maximum Attempts Reached!`.',
  draft: t.Object({
    shareableKey: t.String({ description: 'As `/otp` answered.' }),
    otp: t.String({ description: 'What the person typed; spaces and hyphens do not matter.' }),
  }),
  example: { shareableKey: '2sXyKBqCk1uT5vYw8ZaDfG', otp: '123456' },
  answers: {
    201: { description: 'Right, and used up by this.', example: 'OTP Matched!' },
    400: {
      description: 'No attempts are left, or the key is unknown, used or expired.',
      example: 'Maximum Attempts Reached!',
    },
    403: { description: 'Wrong.', example: 'OTP Mismatched!' },
    429: {
      description: 'Too many calls with a dead key; see Retry-After, in seconds.',
      example: 'Error: Too many requests',
    },
    500: {
      description: 'A fault of the server; developer mode adds the reason.',
      example: 'Unknown Error',
    },
  },
}
