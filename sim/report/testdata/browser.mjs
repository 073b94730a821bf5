// Opens a report in a real browser and uses it: node browser.mjs PLAYWRIGHT_DIR CHROMIUM PAGE SHOTS_DIR. It prints what it found as JSON.
import { createRequire } from 'node:module';
const [dir, executablePath, page, shots] = process.argv.slice(2);
const { chromium } = createRequire(dir + '/')('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const found = { errors: [], requests: [], overflow: [], axis: {}, unnamed: [] };

async function open(width, colorScheme, javaScriptEnabled = true) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, offline: true, colorScheme, javaScriptEnabled });
  const p = await context.newPage();
  p.on('pageerror', (e) => found.errors.push(String(e)));
  p.on('console', (m) => { if (m.type() === 'error') found.errors.push(m.text()); });
  p.on('request', (r) => { if (!r.url().startsWith('file:')) found.requests.push(r.url()); });
  await p.goto('file://' + page);
  return p;
}

for (const [width, scheme] of [[1400, 'light'], [1400, 'dark'], [400, 'light'], [400, 'dark']]) {
  const p = await open(width, scheme);
  if (await p.evaluate(() => document.documentElement.scrollWidth > innerWidth)) found.overflow.push(width);
  if (shots) await p.screenshot({ path: `${shots}/page-${width}-${scheme}.png`, fullPage: true });
}

const p = await open(1400, 'light');
const axis = async () => { await p.waitForTimeout(50); return p.evaluate(() => ['from', 'to'].map((k) => +document.getElementById('axis').dataset[k])); };
const key = async (k) => { await p.locator('#axis').focus(); await p.keyboard.press(k); return axis(); };
found.axis.all = await key('0');
found.axis.plus = await key('+');
found.axis.right = await key('ArrowRight');
found.axis.minus = await key('-');
await p.getByRole('button', { name: 'Zoom in' }).click();
found.axis.button = await axis();
await p.getByRole('button', { name: 'The violation' }).click();
found.axis.violation = await axis();
await p.locator('[data-at]').first().click();
found.axis.link = await axis();
found.axis.wanted = await p.locator('[data-at]').first().evaluate((a) => +a.dataset.at);
await key('0');
const box = await p.locator('#lanes').boundingBox();
await p.locator('#lanes').scrollIntoViewIfNeeded();
const said = new Set();
for (let y = 8; y < box.height; y += 16) for (let x = 170; x < box.width; x += 150) {
  await p.locator('#lanes').hover({ position: { x, y }, force: true, timeout: 2000 });
  said.add((await p.textContent('#detail')).replace(/[\d.]+/g, '#').slice(0, 24));
}
found.said = [...said];
await p.mouse.wheel(0, 0);
found.unnamed = await p.evaluate(() => [...document.querySelectorAll('table')].filter((t) => t.tHead && [...t.tHead.rows[0].cells].some((c) => c.tagName !== 'TH' || !c.scope)).map((t) => t.textContent.slice(0, 40)));
const contrast = (page) => page.evaluate(() => {
  const lum = (c) => { const v = c.match(/\d+/g).slice(0, 3).map((x) => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const back = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
  const low = [];
  for (const e of document.querySelectorAll('p,td,th,dd,dt,li,a,summary,h1,h2,h3,button,label,code')) {
    if (!e.textContent.trim()) continue;
    const a = lum(getComputedStyle(e).color), b = lum(back(e)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(e.tagName + ' ' + e.textContent.slice(0, 30) + ' ' + ratio.toFixed(1));
  }
  return low;
});
found.contrast = await contrast(p);
const dark = await open(1400, 'dark');
found.contrast.push(...(await contrast(dark)).map((s) => 'dark: ' + s));
const colour = (page, at) => page.evaluate((at) => [...document.getElementById('lanes').getContext('2d').getImageData(at, at, 1, 1).data].slice(0, 3), at);
found.scheme = { light: await colour(p, 3), dark: await colour(dark, 3) };
await dark.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
found.scheme.print = await colour(dark, 3);
found.scheme.folded = await dark.evaluate(() => document.querySelectorAll('details:not([open])').length);
await dark.emulateMedia({ media: 'print', colorScheme: 'dark' });
if (shots) await dark.screenshot({ path: `${shots}/page-print.png`, fullPage: true });
found.scheme.paper = await dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
await dark.evaluate(() => window.dispatchEvent(new Event('afterprint')));
await dark.emulateMedia({ media: 'screen', colorScheme: 'light' });
await dark.waitForTimeout(100);
found.scheme.turned = await colour(dark, 3);
const still = await open(1400, 'light', false);
found.withoutScript = await still.locator('#story').innerText();
console.log(JSON.stringify(found));
await browser.close();
