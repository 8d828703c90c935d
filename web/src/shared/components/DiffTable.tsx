import { Switch, Table, Text } from '@mantine/core';
import { IconEqual } from '@tabler/icons-react';
import { useState } from 'react';
import type { ReactNode } from 'react';
import { ScrollX } from './ScrollX';
import { useT } from '../i18n';
import type { DiffRow } from '../lib/diff';
import { Notice } from './Notice';
import { Panel } from './Page';
import classes from './DiffTable.module.css';

interface Props {
  title: string;
  rows: DiffRow[];
  heads: ReactNode[];
  /** Whether equal lines are hidden at first. */
  onlyDifferences?: boolean;
  render?: (row: DiffRow, index: number) => ReactNode;
}

export function DiffTable({ title, rows, heads, onlyDifferences = true, render }: Props) {
  const t = useT();
  const [only, setOnly] = useState(onlyDifferences);
  const shown = only ? rows.filter((row) => row.differs) : rows;
  const count = rows.filter((row) => row.differs).length;
  return (
    <Panel
      title={title}
      flush
      aside={
        <Switch
          size="xs"
          checked={only}
          onChange={(event) => setOnly(event.currentTarget.checked)}
          label={t('diff.only', { n: count })}
        />
      }
    >
      {shown.length === 0 ? (
        <Notice compact icon={IconEqual} title={t('diff.none')} />
      ) : (
        <ScrollX minWidth={Math.max(480, heads.length * 200)} label={title}>
          <Table className={classes.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">{t('diff.field')}</Table.Th>
                {heads.map((head, index) => (
                  <Table.Th key={index} scope="col">
                    {head}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((row) => (
                <Table.Tr key={row.key}>
                  <Table.Th scope="row" className={`mono ${classes.key}`}>
                    {row.key}
                  </Table.Th>
                  {row.values.map((value, index) => (
                    <Table.Td
                      key={index}
                      className={`mono ${classes.value}`}
                      data-differs={(row.differs && value !== row.values[0]) || undefined}
                    >
                      {render ? (
                        render(row, index)
                      ) : value === undefined ? (
                        <Text span size="xs" c="dimmed" fs="italic">
                          {t('diff.absent')}
                        </Text>
                      ) : (
                        value
                      )}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollX>
      )}
    </Panel>
  );
}
