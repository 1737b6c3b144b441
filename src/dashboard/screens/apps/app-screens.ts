import { Apps } from '../apps.tsx'
import { App } from './app.tsx'
import { NewApp } from './new-app.tsx'

/** The screens of apps, which come from the server together: they share most of their code. */
export const appScreens = { Apps, NewApp, App }
