/**
 * Runs one compiled test file in a process of its own and says how it ended.
 *
 * A process each, because a fault in mapped memory ends the process: then one file is named and the others still run. The
 * counts come from uvu's summary; a file that ends without one (a signal, an early exit, a time-out) has failed.
 * @module
 */
import { spawn } from 'node:child_process';
const flags = ['--enable-source-maps', '--expose-gc'];
export function runFile(file, options = {}) {
    const { env = process.env, timeoutSeconds = 600 } = options;
    const start = performance.now();
    return new Promise((resolve) => {
        const child = spawn(process.execPath, [...flags, file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
        let output = '';
        let timedOut = false;
        const timer = setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
        }, timeoutSeconds * 1000);
        for (const stream of [child.stdout, child.stderr])
            stream.setEncoding('utf8').on('data', (text) => {
                output += text;
            });
        child.on('close', (status, signal) => {
            clearTimeout(timer);
            const cause = timedOut ? `no end after ${timeoutSeconds} s` : signal;
            resolve({ file, seconds: (performance.now() - start) / 1000, output, ...judge(output, status, cause) });
        });
    });
}
/** What a summary, an exit status and a signal together say. At least one failure unless all is well. */
export function judge(output, status, cause) {
    // A child that a test starts may print a summary too: the last one is the file's own.
    const plain = output.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '');
    const last = [...plain.matchAll(/Total: +(\d+)\s+Passed: +(\d+)\s+Skipped: +(\d+)/g)].at(-1);
    const [total, passed, skipped] = last === undefined ? [0, 0, 0] : last.slice(1).map(Number);
    const failed = total - passed;
    let reason;
    if (cause !== null)
        reason = `ended by ${cause}`;
    else if (last === undefined)
        reason = `exit status ${status} without a summary (is test.run() missing?)`;
    else if (status !== 0 && failed === 0)
        reason = `exit status ${status} though every test passed`;
    return { passed: passed, failed: failed + (reason === undefined ? 0 : 1), skipped: skipped, reason };
}
