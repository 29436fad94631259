// LINE's Node SDK as a client of the sandbox: every operation it has, area by area. check.mjs SANDBOX_URL

import * as chat from './chat.mjs';
import * as menus from './menus.mjs';
import * as others from './others.mjs';
import * as records from './records.mjs';
import * as send from './send.mjs';
import * as tokens from './tokens.mjs';

const stage = await chat.walk();
for (const area of [send, records, menus, others, tokens]) await area.walk(stage);
console.log('node: @line/bot-sdk is content');
process.exit(0);
