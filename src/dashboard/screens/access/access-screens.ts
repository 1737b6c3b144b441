import { Link } from '../link.tsx'
import { Me } from '../me.tsx'
import { People } from '../people.tsx'
import { SignIn } from '../sign-in.tsx'

/** The screens about who may use the dashboard, which come from the server together. */
export const accessScreens = { SignIn, Link, Me, People }
