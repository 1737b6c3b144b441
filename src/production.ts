// Elysia reads this once, when it is imported, and shows stack traces and sources in any other
// mode; so it is set before anything else is imported, whatever the environment says.
Bun.env.NODE_ENV = 'production'
