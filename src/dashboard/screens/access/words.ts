import { words } from '../../words/words.ts'

/** What people read before they are signed in, and about passwords. */
export const accessWords = words({
  en: {
    signIn: {
      title: 'Sign in',
      over: 'Your session has ended. Sign in to go on where you were. What was not saved yet is gone.',
      name: 'Name',
      password: 'Password',
      code: 'Code of your authenticator app',
      codeHint: 'Six digits, which change every 30 seconds.',
      send: 'Sign in',
      helpTitle: 'No account yet, or locked out?',
      help: 'An admin can send you a link. On the server this command prints one:',
    },
    link: {
      create: 'Welcome to OtpMint',
      createLead: 'Choose a password. With it and your name you sign in from now on.',
      recover: 'Choose a new password',
      recoverLead:
        'The old password and any second step stop working, and you are signed out everywhere else.',
      send: 'Save and sign in',
      gone: 'This link does not work',
      goneWhy: 'It was used, is older than 15 minutes, or was replaced by a newer one.',
      goneNext: 'Ask an admin for a new link. On the server this command prints one:',
      nameHint: 'You sign in with it; others see it in the audit log.',
    },
    password: {
      label: 'New password',
      hint: '15 characters or more, such as four or five unusual words.',
      hintWithStep: '8 characters or more, because a code is asked for too.',
      show: 'Show the password',
      mistakes: {
        length: 'It needs 15 characters or more, or 8 or more with a second step.',
        common: 'Many people use this one, so it is guessed first.',
        name: 'It must not hold your name.',
        different: 'It needs 5 different characters or more.',
        alone: 'Your password is too short without a second step. Choose a longer one first.',
      },
    },
    step: {
      ask: 'Also ask me for a code of an authenticator app (a second step)',
      scan: 'Scan this with your authenticator app',
      orType: 'Or type this secret into the app:',
      picture: 'QR code for an authenticator app',
      wrong: 'This is not the code that the app shows now. Is the clock of the phone right?',
    },
  },
  de: {
    signIn: {
      title: 'Anmelden',
      over: 'Ihre Sitzung ist beendet. Melden Sie sich an, um dort weiterzumachen. Was noch nicht gespeichert war, ist verloren.',
      name: 'Name',
      password: 'Passwort',
      code: 'Code Ihrer Authenticator-App',
      codeHint: 'Sechs Ziffern, die alle 30 Sekunden wechseln.',
      send: 'Anmelden',
      helpTitle: 'Noch kein Konto, oder ausgesperrt?',
      help: 'Ein Admin kann Ihnen einen Link schicken. Auf dem Server gibt ihn dieser Befehl aus:',
    },
    link: {
      create: 'Willkommen bei OtpMint',
      createLead: 'Wählen Sie ein Passwort. Damit und mit Ihrem Namen melden Sie sich künftig an.',
      recover: 'Neues Passwort wählen',
      recoverLead:
        'Das alte Passwort und ein zweiter Schritt gelten dann nicht mehr, und überall sonst sind Sie abgemeldet.',
      send: 'Speichern und anmelden',
      gone: 'Dieser Link gilt nicht',
      goneWhy: 'Er wurde benutzt, ist älter als 15 Minuten oder durch einen neueren ersetzt.',
      goneNext:
        'Bitten Sie einen Admin um einen neuen Link. Auf dem Server gibt ihn dieser Befehl aus:',
      nameHint: 'Damit melden Sie sich an; andere sehen ihn im Protokoll.',
    },
    password: {
      label: 'Neues Passwort',
      hint: '15 Zeichen oder mehr, etwa vier oder fünf ungewöhnliche Wörter.',
      hintWithStep: '8 Zeichen oder mehr, weil auch nach einem Code gefragt wird.',
      show: 'Passwort zeigen',
      mistakes: {
        length: 'Es braucht 15 Zeichen oder mehr, oder 8 oder mehr mit einem zweiten Schritt.',
        common: 'Viele Menschen benutzen dieses, deshalb wird es zuerst geraten.',
        name: 'Es darf Ihren Namen nicht enthalten.',
        different: 'Es braucht 5 verschiedene Zeichen oder mehr.',
        alone: 'Ihr Passwort ist ohne zweiten Schritt zu kurz. Wählen Sie zuerst ein längeres.',
      },
    },
    step: {
      ask: 'Auch nach einem Code einer Authenticator-App fragen (zweiter Schritt)',
      scan: 'Mit Ihrer Authenticator-App abscannen',
      orType: 'Oder dieses Geheimnis in die App eintippen:',
      picture: 'QR-Code für eine Authenticator-App',
      wrong: 'Das ist nicht der Code, den die App jetzt zeigt. Stimmt die Uhr des Telefons?',
    },
  },
})

/** What is wrong with a password, in the reader’s language; the server says it in English. */
export function passwordMistake(reason: string | undefined): string | undefined {
  if (reason === undefined) return undefined
  const { mistakes } = accessWords().password
  if (reason.includes('many people')) return mistakes.common
  if (reason.includes('the name')) return mistakes.name
  if (reason.includes('different')) return mistakes.different
  if (reason.includes('without a second step')) return mistakes.alone
  return mistakes.length
}
