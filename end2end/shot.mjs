import { chromium } from '@playwright/test';
const [,, out, ...list] = process.argv;
const b = await chromium.launch({executablePath:'/usr/bin/chromium',args:['--headless','--no-sandbox','--disable-gpu']});
for (const item of list) {
  const [name,path,mode='light',w='1280',h='900',act] = item.split('|');
  const ctx = await b.newContext({viewport:{width:+w,height:+h},colorScheme:mode});
  const p = await ctx.newPage();
  p.on('console',m=>{if(['error','warning'].includes(m.type()))console.log(name,m.text())});
  p.on('pageerror',e=>console.log(name,'ERR',e.message));
  await p.goto('http://127.0.0.1:3400'+path); await p.waitForTimeout(2500);
  if (act) { await eval(`(async()=>{${act}})()`); await p.waitForTimeout(800); }
  const over = await p.evaluate(()=>document.documentElement.scrollWidth-innerWidth);
  if(over>0) console.log(name,'overflows by',over);
  await p.screenshot({path:`${out}/${name}.png`,fullPage:false});
  await ctx.close();
}
await b.close();
