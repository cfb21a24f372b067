// The launcher of `npm run demo`: installs what is missing, then runs scripts/demo.ts on the project's own Node.
// It must run on whatever Node the machine has (14 and later), before anything is installed: plain old JavaScript, no packages.
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import { dirname, join, delimiter } from 'path';
import { fileURLToPath } from 'url';
import { isInstalled } from './demo/installed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const binaries = join(root, 'node_modules', '.bin');
const node = join(binaries, 'node');
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs a command with our terminal, passes signals on to it, and calls back with what should be our exit code. */
function run(command, args, done) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: Object.assign({}, process.env, { PATH: binaries + delimiter + (process.env.PATH || '') }),
  });
  const forward = (signal) => {
    // At a terminal, Ctrl-C reaches the whole process group: passing it on would make it two.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  signals.forEach((signal) => process.on(signal, forward));
  child.on('error', (error) => {
    console.error(`${command} could not be started: ${error.message}`);
    done(127);
  });
  child.on('exit', (code, signal) => {
    signals.forEach((name) => process.removeListener(name, forward));
    done(signal === null ? code : 128 + (SIGNAL_NUMBERS[signal] || 0));
  });
}

function install(done) {
  console.error('Installing the npm packages this needs into node_modules (once) ...');
  const startedMs = Date.now();
  // On a terminal npm shows its own progress; elsewhere a line now and then says that it is still at work.
  const ticker = setInterval(() => {
    if (!process.stderr.isTTY) console.error(`  ... installing, ${Math.round((Date.now() - startedMs) / 1000)} s`);
  }, 5000);
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--progress'];
  run(npm ? process.execPath : 'npm', npm ? [npm].concat(args) : args, (code) => {
    clearInterval(ticker);
    if (code === 0 && !existsSync(node)) {
      console.error('npm ran, but the Node that the project needs is missing: were install scripts switched off?');
      done(1);
      return;
    }
    done(code);
  });
}

function demo() {
  run(node, [join(root, 'scripts', 'demo.ts')].concat(process.argv.slice(2)), (code) => {
    process.exitCode = code;
  });
}

if (isInstalled(root)) {
  demo();
} else {
  install((code) => {
    if (code === 0) demo();
    else process.exitCode = code;
  });
}
