// Elysia reads this when it is imported, and shows stack traces and sources in any other mode, so
// it is set before anything else is imported.
Bun.env.NODE_ENV = 'production'
