/**
 * A program that uses the package as it is published, checked and never run: its types say what it gets.
 */

import { Flowtrail, NotFoundError } from '@flowtrail/client';
import { saveFlowExecution } from '@flowtrail/client/openwebui';

const flowtrail = new Flowtrail({ baseUrl: 'http://127.0.0.1:8080', key: 'ft_…' });

export async function use(): Promise<void> {
  for await (const execution of flowtrail.executions.all({ status: 'error' })) {
    const id: string = execution.id;
    const duration: number | null = execution.duration;
    console.log(id, duration);
  }
  for await (const event of flowtrail.events()) {
    if (event.type === 'execution.ended') console.log(event.data.status satisfies string);
  }
  await flowtrail.executions.record('…', { status: 'error', errorInfo: { message: 'it broke' } });
  // @ts-expect-error an error says why
  await flowtrail.executions.record('…', { status: 'error' });
  // @ts-expect-error there is no such status
  await flowtrail.executions.list({ status: 'done' });
  // @ts-expect-error what was not told has no such field
  console.log((await flowtrail.me()).password);
  await saveFlowExecution('ft_…', '…', { status: 'success', execution_time: 1 });
  try {
    await flowtrail.flows.get('…');
  } catch (error) {
    if (error instanceof NotFoundError) console.log(error.code, error.status, error.problems.length);
  }
}
