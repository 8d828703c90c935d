import { Table, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table';
import type { ColumnDef, OnChangeFn, RowSelectionState, SortingState } from '@tanstack/react-table';
import { ScrollX } from './ScrollX';
import { useT } from '../i18n';
import classes from './DataTable.module.css';

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  interface ColumnMeta<TData, TValue> {
    numeric?: boolean;
    width?: number | string;
  }
}

interface Props<Row> {
  data: Row[];
  // Each column has a value type of its own.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  columns: ColumnDef<Row, any>[];
  rowId: (row: Row) => string;
  label: string;
  minWidth?: number;
  sorting?: SortingState;
  onSortingChange?: OnChangeFn<SortingState>;
  /** The server sorts: the rows are shown as they come. */
  selection?: RowSelectionState;
  onSelectionChange?: OnChangeFn<RowSelectionState>;
}

const kNoSorting: SortingState = [];
const kNoSelection: RowSelectionState = {};

/** A table of rows that are all there; long lists that grow have the Jobs page's own. */
export function DataTable<Row>(props: Props<Row>) {
  const t = useT();
  const { data, columns, rowId, label, minWidth = 720 } = props;
  const table = useReactTable({
    data,
    columns,
    getRowId: rowId,
    getCoreRowModel: getCoreRowModel(),
    manualSorting: true,
    enableSorting: props.onSortingChange !== undefined,
    sortDescFirst: true,
    state: {
      sorting: props.sorting ?? kNoSorting,
      rowSelection: props.selection ?? kNoSelection,
    },
    ...(props.onSortingChange ? { onSortingChange: props.onSortingChange } : {}),
    ...(props.onSelectionChange ? { onRowSelectionChange: props.onSelectionChange } : {}),
  });
  return (
    <ScrollX minWidth={minWidth} label={label}>
      <Table className={classes.table} aria-label={label} horizontalSpacing={8}>
        <Table.Thead>
          {table.getHeaderGroups().map((group) => (
            <Table.Tr key={group.id}>
              {group.headers.map((header) => {
                const { column } = header;
                const sorted = column.getIsSorted();
                const content = flexRender(column.columnDef.header, header.getContext());
                return (
                  <Table.Th
                    key={header.id}
                    scope="col"
                    className={classes.head}
                    data-numeric={column.columnDef.meta?.numeric || undefined}
                    style={{ width: column.columnDef.meta?.width }}
                    aria-sort={sorted ? (sorted === 'asc' ? 'ascending' : 'descending') : undefined}
                  >
                    {column.getCanSort() ? (
                      <UnstyledButton
                        className={classes.sort}
                        onClick={column.getToggleSortingHandler()}
                        title={t('table.sort')}
                      >
                        {content}
                        {sorted === 'asc' && <IconArrowUp size={13} aria-hidden />}
                        {sorted === 'desc' && <IconArrowDown size={13} aria-hidden />}
                      </UnstyledButton>
                    ) : (
                      content
                    )}
                  </Table.Th>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Thead>
        <Table.Tbody>
          {table.getRowModel().rows.map((row) => (
            <Table.Tr key={row.id} data-selected={row.getIsSelected() || undefined} className={classes.row}>
              {row.getVisibleCells().map((cell) => (
                <Table.Td
                  key={cell.id}
                  data-numeric={cell.column.columnDef.meta?.numeric || undefined}
                  className={cell.column.columnDef.meta?.numeric ? 'num' : ''}
                >
                  {flexRender(cell.column.columnDef.cell, cell.getContext())}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollX>
  );
}
