import type { Finding, Server } from '../../wire.ts'
import { words } from '../../words/words.ts'

type Words = {
  title: string
  tabs: { label: string; state: string; settings: string; audit: string; backups: string }
  version: string
  address: string
  running: string
  database: string
  size: string
  disk: string
  free: (free: string, total: string) => string
  nodes: string
  thisNode: string
  seen: string
  node: string
  findings: string
  findingsHint: string
  examine: string
  examined: string
  check: string
  state: string
  found: string
  states: Record<Finding['status'], string>
  setting: string
  value: string
  source: string
  sources: Record<Server['settings'][number]['source'], string>
  settingsLead: string
  when: string
  who: string
  action: string
  object: string
  detail: string
  audit: string
  verify: string
  verifyAbout: string
  keptHead: string
  keptHeadHint: string
  intact: (records: number) => string
  head: string
  broken: string
  brokenAbout: (records: number) => string
  noAudit: string
  backups: string
  backupsAbout: string
  backUp: string
  backedUp: string
  noBackups: string
  noBackupsYet: string
  file: string
  elsewhere: string
}

export const serverWords = words<Words>({
  en: {
    title: 'Server',
    tabs: {
      label: 'Parts of the server',
      state: 'State',
      settings: 'Settings',
      audit: 'Audit log',
      backups: 'Backups',
    },
    version: 'Version',
    address: 'Listens on',
    running: 'Running since',
    database: 'Database',
    size: 'Size of the database',
    disk: 'Disk',
    free: (free, total) => `${free} of ${total} free`,
    nodes: 'Servers on this database',
    thisNode: 'this one',
    seen: 'Last seen',
    node: 'Server',
    findings: 'Findings',
    findingsHint:
      'What is known at once. A full check also reads the whole database and logs in to every mail server; it sends nothing.',
    examine: 'Check everything',
    examined: 'Everything was checked.',
    check: 'Check',
    state: 'State',
    found: 'What was found',
    states: { ok: 'Good', warning: 'Look at this', failed: 'Wrong' },
    setting: 'Setting',
    value: 'Value',
    source: 'From',
    sources: {
      flag: 'Command line',
      environment: 'Environment',
      file: 'File',
      default: 'Default',
      command: 'The command itself',
    },
    settingsLead:
      'What is in force now. Settings are changed where they come from; then the server is restarted. Secrets are never shown.',
    when: 'When',
    who: 'Who',
    action: 'What',
    object: 'Of',
    detail: 'Details',
    audit: 'Who changed what',
    verify: 'Check the log',
    verifyAbout:
      'Every record is linked to the one before it. This walks the whole log and finds what was changed or removed.',
    keptHead: 'A head that you kept',
    keptHeadHint: 'Shows whether the database was put back to an older state.',
    intact: (records) => `The log is unchanged: ${records} records.`,
    head: 'Head of the log, to keep elsewhere',
    broken: 'The log was changed',
    brokenAbout: (records) => `${records} records are right, then:`,
    noAudit: 'Nothing was changed yet',
    backups: 'Backups in the data directory',
    backupsAbout:
      'A consistent, checked copy of the database in the folder “backups”; the newest five are kept. The master key is not in it. A disk that fails takes these copies along, so keep others elsewhere.',
    backUp: 'Back up now',
    backedUp: 'The backup is on disk.',
    noBackups: 'No backup yet',
    noBackupsYet: 'Make the first one, and keep a copy of the master key in another place.',
    file: 'File',
    elsewhere:
      'PostgreSQL is backed up by its own tools (pg_basebackup, pg_dump) or by its provider: see docs/postgresql.md.',
  },
  de: {
    title: 'Server',
    tabs: {
      label: 'Teile des Servers',
      state: 'Zustand',
      settings: 'Einstellungen',
      audit: 'Protokoll',
      backups: 'Sicherungen',
    },
    version: 'Version',
    address: 'Erreichbar unter',
    running: 'Läuft seit',
    database: 'Datenbank',
    size: 'Größe der Datenbank',
    disk: 'Festplatte',
    free: (free, total) => `${free} von ${total} frei`,
    nodes: 'Server an dieser Datenbank',
    thisNode: 'dieser',
    seen: 'Zuletzt gesehen',
    node: 'Server',
    findings: 'Befunde',
    findingsHint:
      'Was sofort bekannt ist. Eine volle Prüfung liest auch die ganze Datenbank und meldet sich bei jedem Mailserver an; sie sendet nichts.',
    examine: 'Alles prüfen',
    examined: 'Alles wurde geprüft.',
    check: 'Prüfung',
    state: 'Zustand',
    found: 'Befund',
    states: { ok: 'Gut', warning: 'Bitte ansehen', failed: 'Fehler' },
    setting: 'Einstellung',
    value: 'Wert',
    source: 'Von',
    sources: {
      flag: 'Befehlszeile',
      environment: 'Umgebung',
      file: 'Datei',
      default: 'Vorgabe',
      command: 'Vom Befehl selbst',
    },
    settingsLead:
      'Was jetzt gilt. Geändert wird eine Einstellung dort, woher sie kommt; dann wird der Server neu gestartet. Geheimnisse werden nie gezeigt.',
    when: 'Wann',
    who: 'Wer',
    action: 'Was',
    object: 'Woran',
    detail: 'Einzelheiten',
    audit: 'Wer was geändert hat',
    verify: 'Protokoll prüfen',
    verifyAbout:
      'Jeder Eintrag ist mit dem davor verkettet. Dies geht das ganze Protokoll durch und findet, was geändert oder entfernt wurde.',
    keptHead: 'Ein Ende, das Sie aufbewahrt haben',
    keptHeadHint: 'Zeigt, ob die Datenbank auf einen älteren Stand zurückgesetzt wurde.',
    intact: (records) => `Das Protokoll ist unverändert: ${records} Einträge.`,
    head: 'Ende des Protokolls, um es anderswo aufzubewahren',
    broken: 'Das Protokoll wurde geändert',
    brokenAbout: (records) => `${records} Einträge stimmen, dann:`,
    noAudit: 'Noch wurde nichts geändert',
    backups: 'Sicherungen im Datenverzeichnis',
    backupsAbout:
      'Eine stimmige, geprüfte Kopie der Datenbank im Ordner „backups“; die neuesten fünf bleiben. Der Hauptschlüssel ist nicht darin. Fällt die Festplatte aus, sind auch diese Kopien weg: Bewahren Sie andere anderswo auf.',
    backUp: 'Jetzt sichern',
    backedUp: 'Die Sicherung ist auf der Festplatte.',
    noBackups: 'Noch keine Sicherung',
    noBackupsYet:
      'Machen Sie die erste, und bewahren Sie eine Kopie des Hauptschlüssels an einem anderen Ort auf.',
    file: 'Datei',
    elsewhere:
      'PostgreSQL wird mit eigenen Werkzeugen gesichert (pg_basebackup, pg_dump) oder vom Anbieter: siehe docs/postgresql.md.',
  },
})
