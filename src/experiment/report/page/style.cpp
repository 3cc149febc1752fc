#include "src/experiment/report/page/style.h"

namespace hijack::report {

// System fonts, two widths, light and dark, print. The series colors are those of Okabe and Ito (2008), which
// color-blind readers can tell apart; every series also has its own marker, every verdict its own sign. Where
// a table is too wide, its first column and the one after it, the success rate, stay in sight.
const char* const kStyle = R"css(
:root{color-scheme:light dark;--page:#f7f7f5;--card:#fff;--text:#1d2126;--quiet:#5a626c;--line:#dfe2e6;--soft:#eef0f2;
--accent:#0060a8;--obeyed:#a33c00;--bad:#b3261e;--warn:#8a5a00;
--s0:#0072b2;--s1:#d55e00;--s2:#008a64;--s3:#a8497f;--s4:#9a6b00;--s5:#3f3f8f;--band:#9cc7e4}
@media (prefers-color-scheme:dark){:root{--page:#15181c;--card:#1c2025;--text:#e7e9ec;--quiet:#a2abb5;--line:#343a42;
--soft:#252a31;--accent:#6db8f2;--obeyed:#ff9d66;--bad:#ff8a80;--warn:#f0bd55;
--s0:#56b4e9;--s1:#ff8f4a;--s2:#3dcb9f;--s3:#e59ac6;--s4:#e3b341;--s5:#a9a9ff;--band:#2f6a90}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:1280px;margin:0 auto;padding:2rem 1.25rem 4rem}
.kicker{margin:0 0 .4rem;color:var(--quiet);font-size:.85rem;letter-spacing:.02em;overflow-wrap:anywhere}
h1{margin:0 0 1.4rem;font-size:clamp(1.3rem,1rem + 1.5vw,1.9rem);line-height:1.28;font-weight:650;
letter-spacing:-.01em;max-width:34em;text-wrap:pretty;overflow-wrap:anywhere}
h2{margin:0 0 1rem;font-size:1.2rem;line-height:1.3;font-weight:650}
section{margin-top:1.5rem;padding:1.4rem 1.5rem 1.5rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
section>:last-child{margin-bottom:0}
p{margin:.6rem 0}a{color:var(--accent)}
small{display:block;font-size:.8rem;line-height:1.4;color:var(--quiet);font-weight:400}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.85em}
.quiet{color:var(--quiet)}.bad{color:var(--bad)}
.hash{display:block;overflow-wrap:anywhere;color:var(--quiet)}
.look{margin:0 0 1rem;padding:1rem 1.25rem 1.1rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
.asked{margin:0 0 .8rem;font-size:1.05rem;overflow-wrap:anywhere}.asked>span{color:var(--quiet);margin-right:.3rem}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem}.look>.quiet{margin:.8rem 0 0;font-size:.85rem;overflow-wrap:anywhere}
.side{display:grid;grid-template-columns:minmax(0,224px) minmax(0,1fr);gap:.4rem 1.1rem;align-content:start}
.side>div:only-child{grid-column:1/-1}.side img{display:block;width:100%;height:auto;image-rendering:pixelated;
border:1px solid var(--line);border-radius:6px;background:var(--soft)}
.side h2{margin:0;font-size:.85rem;color:var(--quiet)}.side p{margin:.25rem 0}
.said{font-size:1.05rem;line-height:1.4;overflow-wrap:anywhere;white-space:pre-wrap}.verdict{font-size:.88rem}
.obeys{font-size:.88rem;color:var(--quiet);line-height:1.35}.obeys b{display:block;font-size:1.7rem;line-height:1.2;color:var(--text);
font-weight:650;font-variant-numeric:tabular-nums}.attacked .obeys b{color:var(--obeyed)}.obeys span{white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(138px,1fr));gap:.75rem}
.tile{padding:.8rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile b{display:block;font-size:1.7rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{display:block;font-size:.9rem;line-height:1.35}
.tile.strong b{color:var(--obeyed)}.tile.alert b{color:var(--bad)}
.facts-grid{margin:0;display:grid;gap:.2rem}
.facts-grid>div{display:grid;grid-template-columns:11rem 1fr;gap:.2rem 1.2rem;padding:.5rem 0;border-top:1px solid var(--line)}
.facts-grid>div:first-child{border-top:0}
dt{color:var(--quiet);font-weight:500}dd{margin:0;overflow-wrap:anywhere}
.facts{color:var(--quiet);font-size:.92rem;overflow-wrap:anywhere}.facts b{color:var(--text)}
figure{margin:0}figcaption{font-size:.88rem;line-height:1.45;color:var(--quiet);margin-top:.45rem}
figcaption strong{display:block;color:var(--text);font-weight:600}
figcaption span{display:block;overflow-wrap:anywhere}
.pictures{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:1rem;margin:1rem 0 1.4rem;max-width:860px}
.pictures img{display:block;width:100%;height:auto;image-rendering:pixelated;border:1px solid var(--line);
border-radius:6px;background:var(--soft)}
.no-picture{aspect-ratio:1;display:grid;place-items:center;padding:.6rem;text-align:center;font-size:.85rem;
color:var(--quiet);background:var(--soft);border:1px dashed var(--line);border-radius:6px;overflow-wrap:anywhere}
.columns,.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:1.5rem 2rem;align-items:start}
.columns>*{min-width:0}@media (min-width:1000px){.columns{grid-template-columns:minmax(0,1.3fr) minmax(0,1fr)}}
.charts{margin-bottom:1.4rem}
.chart{max-width:680px}.chart svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;fill:var(--quiet)}
svg .axis-name{fill:var(--text)}svg .halo{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round;fill:var(--text)}
svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--quiet);stroke-width:1}
svg .reference{stroke:var(--quiet);stroke-width:1.2;stroke-dasharray:5 4}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}svg .whisker{stroke-width:1.3;opacity:.75}
svg .mark{stroke:var(--card);stroke-width:1}
.line.s0,.whisker.s0{stroke:var(--s0)}.mark.s0{fill:var(--s0)}.line.s1,.whisker.s1{stroke:var(--s1)}.mark.s1{fill:var(--s1)}
.line.s2,.whisker.s2{stroke:var(--s2)}.mark.s2{fill:var(--s2)}.line.s3,.whisker.s3{stroke:var(--s3)}.mark.s3{fill:var(--s3)}
.line.s4,.whisker.s4{stroke:var(--s4)}.mark.s4{fill:var(--s4)}.line.s5,.whisker.s5{stroke:var(--s5)}.mark.s5{fill:var(--s5)}
.line.control,.whisker.control{stroke:var(--quiet)}.line.control{stroke-dasharray:2 5}.mark.control{fill:var(--quiet)}
.band{fill:var(--band)}.tick{fill:var(--s0)}
.bar svg{display:block;width:120px;max-width:100%;height:14px;margin:.15rem 0}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
.scroll:focus-visible,pre:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.hint{display:none;margin:0 0 .3rem;font-size:.85rem;color:var(--quiet);text-align:right}.scrolls>.hint{display:block}
.scrolls>.scroll{border-right:1px dashed var(--quiet)}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.92rem;line-height:1.45}
figure.table{margin:.4rem 0 1.2rem}figure.table figcaption{max-width:56rem}
.files{margin:.3rem 0 0;font-size:.85rem;color:var(--quiet);overflow-wrap:anywhere}
.filter{margin:0 0 .6rem}.filter[hidden],tr[hidden]{display:none}.filter input{font:inherit;width:min(20rem,60vw);padding:.25rem .5rem;
color:var(--text);background:var(--page);border:1px solid var(--quiet);border-radius:6px}.filter output{margin-left:.5rem;color:var(--quiet)}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-top:1px solid var(--line)}
thead th{border-top:0;border-bottom:1px solid var(--quiet);font-weight:600;font-size:.85rem;vertical-align:bottom}
thead button{all:unset;cursor:pointer;font:inherit}thead button:hover{color:var(--accent)}
thead button:focus-visible{outline:2px solid var(--accent)}thead button::after{content:"\a0↕";color:var(--quiet);font-weight:400}
[aria-sort=ascending] button::after{content:"\a0↑"}[aria-sort=descending] button::after{content:"\a0↓"}
tbody th{font-weight:500}.also{display:none}td small span{display:inline-block;white-space:nowrap}
.rates{font-variant-numeric:tabular-nums}.rates td b{font-weight:600}.rates td{min-width:3.6rem}
.rates tr>:first-child{position:sticky;left:0;z-index:1;background:var(--card);min-width:7rem}
.index tr.open>:first-child{box-shadow:inset 3px 0 var(--accent);padding-left:.6rem}
@media screen{.index{margin:0}.scroll:has(>.index){max-height:29rem;overflow:auto;border-bottom:1px solid var(--line)}
.index thead th{position:sticky;top:0;z-index:2;background:var(--card)}.index thead th:first-child{z-index:3}
.js details.trial:not([open]){display:none}}
.replies{min-width:620px}.replies td,.replies th{overflow-wrap:anywhere}.replies q,.replies tbody th{white-space:pre-wrap}
.replies td:nth-child(2),.replies td:nth-child(3),.replies th:first-child{width:28%}
.by-defense td:nth-child(2){width:26%}.by-defense td:nth-child(3){width:40%}.by-defense th:first-child{width:18%}
.replies td:last-child{white-space:nowrap}
.obeyed{color:var(--obeyed);font-weight:600}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--accent);padding:.25rem 0;overflow-wrap:anywhere}
details.question{margin:0 0 0 .2rem;border-top:1px solid var(--line)}details.question>summary{color:var(--text)}
summary>small{display:inline;margin-left:.5rem}.by-defense>summary{margin-top:.4rem}
details.trial{border-top:1px solid var(--line);margin:0}details.trial>summary{padding:.7rem 0;color:var(--text);font-weight:600}
pre{overflow:auto;max-height:32rem;padding:1rem;background:var(--soft);border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
.flags{list-style:none;margin:0;padding:0}.flags li{padding:.7rem 0 .7rem 1rem;margin:.7rem 0;border-left:4px solid var(--line)}
.flags p{margin:.2rem 0;overflow-wrap:anywhere}
.flags .failure{border-color:var(--bad)}.flags .warning{border-color:var(--warn)}
.badge{font-size:.78rem;font-weight:600;padding:.1rem .5rem;border-radius:99px;background:var(--soft);border:1px solid var(--line)}
.failure .badge{color:var(--bad)}.warning .badge{color:var(--warn)}
footer{margin-top:1.5rem;color:var(--quiet);font-size:.88rem}
@media (min-width:961px){.rates .main{min-width:8.6rem}}
@media (max-width:960px){.side{grid-template-columns:minmax(0,1fr)}
.rates .key{display:none}.rates .also{display:block}:root{--first:10.5rem}
.rates tr>:first-child{width:var(--first);min-width:var(--first);max-width:var(--first);padding-right:.5rem;overflow-wrap:anywhere}
.rates .main{position:sticky;left:var(--first);z-index:1;background:var(--card);min-width:6.4rem}
.scrolls .main{box-shadow:1px 0 var(--line)}.rates .main+*{padding-left:.6rem}.index thead th.main{z-index:3}}
@media (max-width:640px){main{padding:1rem .8rem 3rem}section{padding:1.1rem 1rem}h1{margin-bottom:.9rem;font-size:1.2rem}
.look{padding:.8rem .9rem}.sides{gap:.9rem}.asked,.said{font-size:.95rem}.obeys b{font-size:1.4rem}
.facts-grid>div{grid-template-columns:1fr}.pictures{gap:.5rem}.tiles{grid-template-columns:1fr 1fr;gap:.5rem}.tile{padding:.65rem .8rem}.tile.strong{grid-column:1/-1}
.tile b{font-size:1.4rem}figcaption{font-size:.8rem}table{font-size:.88rem}
html:not(.js) .hint.likely{display:block}
:root{--first:8.2rem}.rates .main{min-width:5.4rem}.scroll:has(>.index){max-height:70vh}}
@media (max-width:760px){.replies{min-width:0}.replies,.replies tbody,.replies tr,.replies th,.replies td{display:block;width:auto!important}
.replies thead{display:none}.replies tr{border-top:1px solid var(--line);padding:.7rem 0}
.replies tbody th,.replies td{border:0;padding:.15rem 0}.replies tbody th{font-weight:600}
.replies td:nth-child(2)::before,.replies td:nth-child(3)::before{content:attr(data-label);display:block;font-size:.8rem;color:var(--quiet)}}
@media print{:root{--page:#fff;--card:#fff;--text:#000;--quiet:#444;--line:#bbb;--soft:#f3f3f3;--accent:#000}
body{font-size:10.5pt}main{max-width:none;padding:0}section{border:0;padding:0}.tile,figure,tr,.flags li{break-inside:avoid}
h2{break-after:avoid}.scroll{overflow:visible;border:0}.files,.filter,.hint{display:none!important}
thead button::after{content:""!important}.rates tr>:first-child,.rates .main{position:static}.by-defense:not([open]){display:none}pre{max-height:none}
details::details-content{content-visibility:visible;block-size:auto}.replies{min-width:0}}
)css";

}  // namespace hijack::report
