import type { ComponentChildren } from 'preact'

export type Column<Row> = {
  label: string
  cell(row: Row): ComponentChildren
  /** Numbers stand at the end of their column. */
  isNumber?: boolean
  /** What names the row; one column has it. */
  isName?: boolean
}

/** A table; on a narrow screen each row becomes a card with the labels beside the values. */
export function Table<Row>({
  caption,
  columns,
  rows,
  keyOf,
}: {
  /** Read out by a screen reader; the heading above says it to the eye. */
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  keyOf(row: Row): string
}) {
  return (
    <table>
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ label, isNumber }) => (
            <th key={label} scope="col" class={isNumber ? 'number' : ''}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            {columns.map((column) => (
              <Cell key={column.label} column={column} row={row} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }) {
  const { label, cell, isNumber, isName } = column
  if (isName) return <th scope="row">{cell(row)}</th>
  return (
    <td class={isNumber ? 'number' : ''} data-label={label}>
      <div>{cell(row)}</div>
    </td>
  )
}
