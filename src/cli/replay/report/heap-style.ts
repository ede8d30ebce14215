/**
 * The style of the heap maps and histograms on a page.
 * @module
 */

export const HEAP_STYLE = `.bars{margin:1rem 0}.bars svg{width:100%;height:auto;display:block}.bars figcaption{font-weight:600}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
.controls{display:flex;gap:.75rem;align-items:center;position:sticky;top:0;background:var(--paper);padding:.4rem 0;z-index:1}
.controls input{flex:1}.controls button{font:inherit;min-width:5rem;color:var(--ink);background:none;border:1px solid var(--grid);border-radius:.4rem;padding:.2rem .6rem;cursor:pointer}
.controls output{font-variant-numeric:tabular-nums;min-width:12rem}
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem}
.heapmap{margin:0}.heapmap figcaption{font-weight:600}.heapmap canvas{width:100%;image-rendering:pixelated;border:1px solid var(--grid);display:block}
.heapmap output{display:block;font-size:.8125rem;min-height:1.4em;font-variant-numeric:tabular-nums}.heapmap .cell{min-height:2.8em}
.key i{display:inline-block;width:.9em;height:.9em;margin:0 .3em 0 .8em;border:1px solid var(--grid);vertical-align:-.1em}
.key .live{background:var(--c0)}.key .free{background:var(--c1)}.key .absent{background:var(--paper)}`
