import { findings } from './german-findings.ts'

/**
 * The server's English in German: loaded only by who reads German, so that it costs nobody else.
 * What is not here stays English.
 */

/** Every refusal by its code; the types of the table make sure that it has all of them. */
export const problems: Record<string, string> = {
  unreachable:
    'Der Server hat nicht geantwortet. Bitte Verbindung prüfen und noch einmal versuchen.',
  invalid_request: 'Bitte die markierten Felder prüfen.',
  malformed_json: 'Die Anfrage ist kein gültiges JSON.',
  body_too_large: 'Das ist zu groß.',
  unsupported_media_type: 'Der Server nimmt hier nur JSON.',
  method_not_allowed: 'Diese Adresse kennt die Methode nicht.',
  not_found: 'Das gibt es nicht (mehr).',
  misdirected_request: 'Dieser Server antwortet nicht unter diesem Namen.',
  unauthorized: 'Sie sind nicht mehr angemeldet.',
  sign_in_refused: 'Name, Passwort oder Code stimmt nicht.',
  second_step_required: 'Der Code des zweiten Schritts fehlt.',
  forbidden: 'Ihre Rolle erlaubt das nicht.',
  confirmation_required: 'Nicht ausgeführt: Ihr Passwort wurde nicht bestätigt.',
  foreign_origin: 'Der Server hat das abgelehnt, weil es nicht von seiner eigenen Seite kam.',
  link_not_found: 'Dieser Link ist benutzt oder abgelaufen.',
  account_not_found: 'Dieses Konto gibt es nicht (mehr).',
  account_name_taken: 'Diesen Namen hat schon jemand.',
  too_many_accounts: 'Es gibt schon hundert Konten.',
  last_admin: 'Das ist der einzige Admin. Laden Sie zuerst einen zweiten ein.',
  session_not_found: 'Diese Sitzung ist schon beendet.',
  registration_closed: 'Selbst anmelden kann sich hier keine App.',
  secret_key_taken: 'Dieser secretKey ist vergeben.',
  app_not_found: 'Diese App gibt es nicht (mehr).',
  app_paused: 'Diese App ist angehalten.',
  key_not_found: 'Diesen Schlüssel gibt es nicht (mehr).',
  too_many_keys: 'Zwei Schlüssel dieser Art sind schon aktiv.',
  endpoint_not_found: 'Diesen Weg gibt es nicht (mehr).',
  suppression_not_found: 'Diese Adresse ist nicht (mehr) gesperrt.',
  recipient_not_found: 'Diesen Empfänger gibt es nicht (mehr).',
  recipient_not_answered: 'Diese Person hat nicht zugestimmt.',
  bot_unavailable: 'Der Telegram-Bot ist nicht erreichbar.',
  too_many_endpoints: 'Mehr Wege dieses Kanals kann die App nicht haben.',
  dkim_key_not_found: 'Diesen DKIM-Schlüssel gibt es nicht (mehr).',
  too_many_dkim_keys: 'Die App hat schon zehn DKIM-Schlüssel.',
  webhook_not_found: 'Diesen Webhook gibt es nicht (mehr).',
  too_many_webhooks: 'Die App hat schon zehn Webhooks.',
  message_not_found: 'Diese Nachricht gibt es nicht (mehr).',
  template_not_found: 'Diese Vorlage gibt es nicht (mehr).',
  too_many_templates: 'Die App hat schon Vorlagen in fünfzig Sprachen.',
  secret_required: 'Wer ändert, wohin ein Weg führt, muss sein Geheimnis noch einmal eingeben.',
  host_not_public: 'Der Mailserver darf nur öffentliche Adressen haben.',
  login_refused: 'Der Mailserver hat die Anmeldung abgelehnt.',
  channel_not_configured: 'Diesen Kanal hat die App nicht.',
  verification_not_found: 'Diese Bestätigung gibt es nicht (mehr).',
  verification_expired: 'Diese Bestätigung ist abgelaufen.',
  verification_exhausted: 'Alle Versuche sind verbraucht.',
  verification_used: 'Der Code wurde schon benutzt.',
  verification_canceled: 'Diese Bestätigung wurde abgebrochen.',
  rate_limited: 'Zu viele Anfragen. Bitte einen Moment warten und noch einmal versuchen.',
  budget_exhausted: 'Zu viele falsche Codes für diesen Empfänger.',
  delivery_backlog: 'Nachrichten können gerade nicht rechtzeitig gesendet werden.',
  check_too_early: 'Für die nächste Prüfung ist es noch zu früh.',
  resend_too_early: 'Für die nächste Nachricht ist es noch zu früh.',
  sends_exhausted: 'Für diese Bestätigung wird keine Nachricht mehr gesendet.',
  page_unavailable: 'Dieser Server hat keine Adresse für Seiten zur Bestätigung.',
  proof_off: 'Diese App hat keine Nachweise.',
  result_not_found: 'Dieses Ergebnis gibt es nicht (mehr).',
  idempotency_key_reused: 'Dieser Idempotency-Key gehört zu einer anderen Anfrage.',
  backup_elsewhere: 'Diese Datenbank wird mit ihren eigenen Werkzeugen gesichert.',
  backup_running: 'Eine Sicherung läuft schon.',
  backup_failed: 'Die Sicherung konnte nicht geschrieben werden.',
  too_many_streams: 'Mehr können dem Server nicht gleichzeitig zusehen.',
  store_unavailable: 'Die Datenbank nimmt gerade keine Änderungen an.',
  shutting_down: 'Der Server hält gerade an.',
  internal_error: 'Auf dem Server ist etwas schiefgegangen. Was, steht in seinem Protokoll.',
}

/**
 * What may be wrong with a field, a pair in a line, and parts of such sentences. `#` is a number, a
 * name or a list, which stays as it is; `*` a part that is in the table itself. The first that fits
 * counts.
 */
const reasons = `
is missing = fehlt
is missing, or from is = fehlt, oder from fehlt
is not a known field = ist kein bekanntes Feld
is not for this endpoint = gehört nicht zu diesem Weg
is not for one message = gilt nicht für eine einzelne Nachricht
is not for auth "#" = gehört nicht zur Anmeldung „$1“
is in use for this domain already = wird für diese Domain schon benutzt
is in no template of this app = steht in keiner Vorlage dieser App
is refused: the app’s policy allows no phone_countries = wird abgelehnt: die Regeln der App erlauben keine Länder
is a number of a country that is not among the app’s phone_countries = ist eine Nummer aus einem Land, das die Regeln der App nicht erlauben
is a number of a type that is not among the app’s phone_types = ist eine Nummer einer Art, die die Regeln der App nicht erlauben
has a name twice = nennt einen Namen zweimal
needs a user = braucht einen Benutzer
inbox needs a test key = inbox braucht einen Test-Schlüssel
must be given: there are more than # rows = muss angegeben werden: es sind mehr als $1 Zeilen
must be given: there are more than # endpoints = muss angegeben werden: es sind mehr als $1 Wege
must be later: there are more than # rows = muss später sein: es sind mehr als $1 Zeilen
must be longer: at most # buckets fit in an answer = muss länger sein: in eine Antwort passen höchstens $1 Abschnitte
must not be given with this \`by\` = gehört nicht zu diesem by
must be before to = muss vor to liegen
must be no more than the server allows, which is # = darf höchstens das sein, was der Server erlaubt: $1
must be no more than # bytes = darf höchstens $1 Bytes haben
must be # to # pixels wide and high = muss $1 bis $2 Pixel breit und hoch sein
must be # characters or more, or # or more with a second step = muss $1 Zeichen oder mehr haben, mit zweitem Schritt $2 oder mehr
must be # characters or more without a second step = muss ohne zweiten Schritt $1 Zeichen oder mehr haben
must be at most # strings of up to # characters = darf höchstens $1 Texte von bis zu $2 Zeichen haben
must be at most # strings = darf höchstens $1 Texte haben
must be at most # = dürfen höchstens $1 sein
must be of the verification’s route: # = muss zum Weg der Bestätigung gehören: $1
must be of a webhook: other secrets are changed where they are made = muss zu einem Webhook gehören: andere Geheimnisse ändert man, wo sie entstehen
must be "tls", "starttls" or "none" ("opportunistic" is for loopback only) = muss „tls“, „starttls“ oder „none“ sein („opportunistic“ gilt nur auf derselben Maschine)
must be a list of # to # different ones of: ISO 3166 codes in capitals, like DE and GB = muss eine Liste von $1 bis $2 verschiedenen Ländern sein (ISO 3166 in Großbuchstaben, wie DE und GB)
must be a list of # to # different ones of: # = muss eine Liste von $1 bis $2 verschiedenen sein aus: $3
must be a list of 1 to # different texts, each * = muss eine Liste von 1 bis $1 verschiedenen Texten sein, jeder $2
must be a list of 1 to # whole numbers from # to # = muss eine Liste von 1 bis $1 ganzen Zahlen von $2 bis $3 sein
must be a list of names of 1 to 32 letters a-z and _ = muss eine Liste von Namen aus 1 bis 32 Buchstaben a-z und _ sein
must be a channel, or a list of 1 to #, none of them twice = muss ein Kanal sein, oder eine Liste von 1 bis $1, keiner zweimal
must be one recipient, or an object with one for each channel of the route = muss ein Empfänger sein, oder ein Objekt mit einem für jeden Kanal
must be one of: # = muss eines davon sein: $1
must be one of # = muss eines davon sein: $1
must be as long as code_length says = muss so lang sein, wie code_length sagt
must be exactly one of the app’s return_urls = muss genau eine der return_urls der App sein
must be the digits of the code, as a string = müssen die Ziffern des Codes sein, als Text
must be the code that your app shows now = muss der Code sein, den Ihre Authenticator-App jetzt zeigt
must be the one that was shown = muss das gezeigte sein
must be the next_cursor of the page before = muss der next_cursor der Seite davor sein
must be lower-case letters, digits and underscores = darf nur Kleinbuchstaben, Ziffern und Unterstriche haben
must be * = muss $1 sein
must have # different characters or more = muss $1 verschiedene Zeichen oder mehr haben
must not be one that many people use = darf keines sein, das viele benutzen
must not hold the name = darf den Namen nicht enthalten
must hold no link, domain, address or phone number = darf weder Link, Domain, Adresse noch Telefonnummer enthalten
must hold no link, domain or address = darf weder Link, Domain noch Adresse enthalten
must hold no control, bidi or invisible characters = darf keine Steuerzeichen und keine unsichtbaren Zeichen enthalten
must hold no markup = darf keine Tags enthalten
must hold no number of 4 digits or more = darf keine Zahl mit 4 Ziffern oder mehr enthalten
must lead to a public address by https, or to one in OTPMINT_EGRESS_ALLOW = muss per https zu einer öffentlichen Adresse führen, oder zu einer in OTPMINT_EGRESS_ALLOW
must lie in the domain of the login = muss in der Domain der Anmeldung liegen
must name only channels of the route: # = darf nur Kanäle des Wegs nennen: $1
must not spell a recipient of another channel differently = darf den Empfänger eines anderen Kanals nicht anders schreiben
line #: * = Zeile $1: $2
holds a character that is no text = enthält ein Zeichen, das kein Text ist
a tag may be # characters long; does this one end? = ein Tag darf $1 Zeichen lang sein; endet dieses?
a tag does not end with }} = ein Tag endet nicht mit }}
no section of this name is open = kein Abschnitt dieses Namens ist offen
a section is not closed = ein Abschnitt ist nicht geschlossen
the tags cannot be read = die Tags sind nicht lesbar
there may be # tags = es dürfen $1 Tags sein
sections may use # names that can be empty in a part of this length = Abschnitte eines Teils dieser Länge dürfen $1 Namen benutzen, die leer sein können
sections may be nested # deep = Abschnitte dürfen $1 tief verschachtelt sein
elements may be nested # deep = Elemente dürfen $1 tief verschachtelt sein
values are always escaped: use two braces and no & = Werte werden immer maskiert: zwei Klammern und kein & verwenden
templates include no others = Vorlagen binden keine anderen ein
the braces cannot be changed = die Klammern lassen sich nicht ändern
names have no dots = Namen haben keine Punkte
this name is not known: use # or a name of "variables" = diesen Namen gibt es nicht: möglich sind $1 und die Variablen
logo is a section of the HTML, around its image = logo ist ein Abschnitt des HTML, um das Bild herum
this language has no built-in sentence for valid: use minutes = diese Sprache hat keinen eingebauten Satz für valid: minutes verwenden
must show {{code}}, also where # is empty = muss {{code}} zeigen, auch wenn $1 leer ist
must show {{code}} = muss {{code}} zeigen
the image may stand only between {{#logo}} and {{/logo}} = das Bild darf nur zwischen {{#logo}} und {{/logo}} stehen
may hold no link = darf keinen Link enthalten
a subject may hold no link = ein Betreff darf keinen Link enthalten
a link may only be <a href="{{page_link}}"> or <a href="{{report_link}}">, each within a section of its name = ein Link darf nur <a href="{{page_link}}"> oder <a href="{{report_link}}"> sein, je in einem Abschnitt seines Namens
an attribute may be given once in a tag = ein Attribut darf in einem Tag einmal stehen
may not be empty in any case = darf in keinem Fall leer sein
may not be names that every template has = dürfen keine Namen sein, die jede Vorlage hat
may be # names = dürfen $1 Namen sein
links are not sent: write the name of a place without http:// or www. = Links werden nicht gesendet: den Namen ohne http:// und www. schreiben
a comment may not hold names = ein Kommentar darf keine Namen enthalten
this comment does not end = dieser Kommentar endet nicht
a value of an attribute needs quotes = der Wert eines Attributs braucht Anführungszeichen
this < begins no well-formed tag: write &lt; for the sign itself = dieses < beginnt kein gültiges Tag: für das Zeichen selbst &lt; schreiben
an attribute of this tag may not be in a mail = ein Attribut dieses Tags darf nicht in einer Mail stehen
this element may not be in a mail = dieses Element darf nicht in einer Mail stehen
# may not be in a mail = $1 darf nicht in einer Mail stehen
names may stand in alt, title and aria-label, not in # = Namen dürfen in alt, title und aria-label stehen, nicht in $1
an image comes with the mail: src may only be cid:logo = ein Bild kommt mit der Mail: src darf nur cid:logo sein
mails are sent in UTF-8: charset may only be utf-8 = Mails werden in UTF-8 gesendet: charset darf nur utf-8 sein
http-equiv may only be Content-Type or X-UA-Compatible = http-equiv darf nur Content-Type oder X-UA-Compatible sein
CSS may load nothing (url, @import, @font-face) and hold no \\ or & = CSS darf nichts laden (url, @import, @font-face) und weder \\ noch & enthalten
CSS may not hold names = CSS darf keine Namen enthalten
this <#> does not end = dieses <$1> endet nicht
this text has a contrast of # = dieser Text hat einen Kontrast von $1
true or false = true oder false
a whole number from # to # = eine ganze Zahl von $1 bis $2
a whole PNG or JPEG = ein ganzes PNG oder JPEG
a picture in base64 = ein Bild in base64
a colour like # = eine Farbe wie $1
a JSON object = ein JSON-Objekt
a string of # to # characters = ein Text von $1 bis $2 Zeichen
a string = ein Text
a text of up to # characters = ein Text von bis zu $1 Zeichen
a language tag like # = ein Sprachkürzel wie $1
a UTC time like # = eine Zeit in UTC wie $1
a head as an earlier answer had it = ein Kopf, wie ihn eine frühere Antwort hatte
a domain like # = eine Domain wie $1
a region like # = eine Region wie $1
a version like # = eine Version wie $1
a language of WhatsApp like en or pt_BR = eine Sprache von WhatsApp wie en oder pt_BR
a number like +4915112345678, or 2 to 11 letters, digits and spaces, a letter first, or MG and 32 hexadecimal digits = eine Nummer wie +4915112345678, oder 2 bis 11 Buchstaben, Ziffern und Leerzeichen mit einem Buchstaben vorn, oder MG und 32 Hexadezimalziffern
a number like +4915112345678, or 2 to 11 letters, digits and spaces, a letter first = eine Nummer wie +4915112345678, oder 2 bis 11 Buchstaben, Ziffern und Leerzeichen mit einem Buchstaben vorn
a host name or an IP address = ein Hostname oder eine IP-Adresse
an IP address = eine IP-Adresse
an RSA private key of # to # bits in PEM, without a passphrase = ein privater RSA-Schlüssel von $1 bis $2 Bit in PEM, ohne Passphrase
an https origin like #, or http://localhost = ein https-Ursprung wie $1, oder http://localhost
an https URL as browsers write it, without fragment, or http://localhost = eine https-URL, wie Browser sie schreiben, ohne Fragment, oder http://localhost
an https URL without user, password, query and fragment = eine https-URL ohne Benutzer, Passwort, Query und Fragment
an https URL without user, password and fragment = eine https-URL ohne Benutzer, Passwort und Fragment
one line of # to # characters = eine Zeile von $1 bis $2 Zeichen
one telephone number with its country code, like +4917012345678, without extension = eine Telefonnummer mit Landesvorwahl, wie +4917012345678, ohne Durchwahl
one e-mail address like ada@example.com or * = eine E-Mail-Adresse wie ada@example.com oder $1
one telephone number with its country code, like +4917012345678 or * = eine Telefonnummer mit Landesvorwahl wie +4917012345678 oder $1
one e-mail address like ada@example.com = eine E-Mail-Adresse wie ada@example.com
one telephone number with its country code, like +4917012345678 = eine Telefonnummer mit Landesvorwahl wie +4917012345678
the id of a Telegram recipient of this app = die Id eines Telegram-Empfängers dieser App
the id of a message = die Id einer Nachricht
the id (GUID) or a domain of the tenant = die Id (GUID) oder eine Domain des Mandanten
the JSON key of a Google service account, with an RSA key of 2048 bits or more = der JSON-Schlüssel eines Google-Dienstkontos, mit einem RSA-Schlüssel von 2048 Bit oder mehr
the token of a bot, such as # = das Token eines Bots, wie $1
the mailbox = das Postfach
certificates in PEM of at most 8,192 characters, and nothing else = Zertifikate in PEM von höchstens 8.192 Zeichen, und sonst nichts
"whsec_" and # to # bytes in base64 = „whsec_“ und $1 bis $2 Bytes in base64
AC and 32 hexadecimal digits = AC und 32 Hexadezimalziffern
# to # visible characters without spaces = $1 bis $2 sichtbare Zeichen ohne Leerzeichen
# to # visible ASCII characters = $1 bis $2 sichtbare ASCII-Zeichen
# to # characters without control characters = $1 bis $2 Zeichen ohne Steuerzeichen
# to # characters of a-z, 0-9, _, . and - = $1 bis $2 Zeichen aus a-z, 0-9, _, . und -
# to # characters = $1 bis $2 Zeichen
# to # bytes of text = $1 bis $2 Bytes Text
# to # letters, digits and hyphens, a letter first = $1 bis $2 Buchstaben, Ziffern und Bindestriche, ein Buchstabe vorn
# to # lower-case letters, digits, hyphens and dots = $1 bis $2 Kleinbuchstaben, Ziffern, Bindestriche und Punkte
# to # letters, digits and underscores, without @ = $1 bis $2 Buchstaben, Ziffern und Unterstriche, ohne @
# to # letters and digits = $1 bis $2 Buchstaben und Ziffern
# letters and digits = $1 Buchstaben und Ziffern
# hexadecimal digits = $1 Hexadezimalziffern
# digits = $1 Ziffern
one of 465, 587 and 2525 = 465, 587 oder 2525
"#" or "#" = „$1“ oder „$2“
"#" = „$1“
`

type Pattern = { english: RegExp; german: string; isOwn: boolean[] }

function patternsOf(table: string): Pattern[] {
  return table
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [english = '', german = ''] = line.split(' = ')
      const quoted = english.replace(/[.\\^$+?()|[\]{}]/g, '\\$&')
      const source = quoted.replace(/(?<!\{)[#*]/g, (mark) => (mark === '#' ? '(.+?)' : '(.+)'))
      const isOwn = [...english.matchAll(/(?<!\{)[#*]/g)].map(([mark]) => mark === '*')
      return { english: new RegExp(`^${source}$`), german, isOwn }
    })
}

function translate(text: string, patterns: Pattern[]): string | null {
  for (const { english, german, isOwn } of patterns) {
    const found = english.exec(text)
    if (!found) continue
    const parts = found.slice(1).map((part, at) => (isOwn[at] ? translate(part, patterns) : part))
    if (parts.includes(null)) continue
    return german.replace(/\$(\d)/g, (_, number) => parts[Number(number) - 1] ?? '')
  }
  return null
}

const reasonPatterns = patternsOf(reasons)
const findingPatterns = patternsOf(findings)

/** What is wrong with a field, in German; null where it is not in the table. */
export const germanOf = (reason: string): string | null => translate(reason, reasonPatterns)

/** What the server found out, in German; null where it is not in the table. */
export const germanFinding = (finding: string): string | null => translate(finding, findingPatterns)
