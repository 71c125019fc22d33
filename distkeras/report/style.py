"""The report's style sheet: light, dark and on paper, from a phone's width to a desk's."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["whole_page"]

# The page may load nothing and run nothing: it says so itself.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def whole_page(title: str, body: Iterable[str]) -> str:
    """A self-contained page.

    Args:
        title: HTML.
        body: HTML of its parts.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --ink: #1b1d21; --muted: #646a73; --rule: #dfe0dc;
  --accent: #1f5a8c; --on-accent: #ffffff; --faint: #eef1f4;
  --series-0: #0067a5; --series-1: #c4501b; --series-2: #00856a; --series-3: #a8478c;
  --series-4: #8a6d00; --series-5: #3c8fce; --series-6: #b3202c; --series-7: #4d4f53;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121417; --card: #1a1d21; --ink: #e7e8ea; --muted: #9aa1ab; --rule: #32373e;
    --accent: #79b4e3; --on-accent: #10151a; --faint: #22272d;
    --series-0: #79b4e3; --series-1: #f0925c; --series-2: #4cc9a7; --series-3: #dd8fc6;
    --series-4: #d9b93b; --series-5: #a9d5f7; --series-6: #f2777c; --series-7: #c3c7cc;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header p { margin: 0; }
.over { color: var(--muted); font-size: .875rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .15rem 0 0; font-weight: 650;
  letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; margin: 2.75rem 0 .9rem; font-weight: 650; }
h3 { font-size: .9375rem; margin: 1.5rem 0 .5rem; font-weight: 650; }
.lead { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1.25rem;
  margin: 1.5rem 0 1.25rem; }
.lead strong { font-size: 3.25rem; line-height: 1; font-weight: 650; letter-spacing: -.03em;
  color: var(--accent); font-variant-numeric: tabular-nums; }
.lead span { flex: 1 1 16rem; max-width: 34rem; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px;
  margin: 0; background: var(--rule); border: 1px solid var(--rule); border-radius: 8px;
  overflow: hidden; }
.tiles div { flex: 1 1 8.5rem; background: var(--card); padding: .7rem .9rem; }
.tiles dt { color: var(--muted); font-size: .8125rem; }
.tiles dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.pair { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.card, figure { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 1rem; margin: 0; min-width: 0; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; max-width: 27rem; margin: 0 auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { margin-top: .75rem; padding-top: .75rem; border-top: 1px solid var(--rule);
  font-size: .875rem; color: var(--muted); }
figcaption b { color: var(--ink); font-weight: 600; white-space: nowrap; }
.card + .card, .pair + .card, .card + .pair, .pair + .pair { margin-top: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .6rem; text-align: right; white-space: nowrap; font-weight: 400; }
th:first-child { text-align: left; }
tbody th { max-width: 11rem; overflow: hidden; text-overflow: ellipsis; }
.pair table { font-size: .875rem; }
.pair tbody th { max-width: 7rem; }
.pair th, .pair td { padding: .33rem .4rem; }
th:first-child { padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
thead th { color: var(--muted); font-size: .8125rem; border-bottom: 1px solid var(--rule); }
tbody tr + tr > * { border-top: 1px solid var(--faint); }
tr.total > * { border-top: 1px solid var(--rule) !important; font-weight: 600; }
.compare th:first-child { position: sticky; left: 0; background: var(--card);
  min-width: 7.5rem; max-width: 15rem; white-space: normal; overflow-wrap: break-word;
  padding-right: .75rem; }
.compare.tried th:first-child { min-width: 2.5rem; }
.compare b { color: var(--accent); font-weight: 700; }
.compare b::after { content: " \\2605"; font-size: .75em; }
.compare th i { font-size: .8em; color: var(--muted); display: block; }
.costs th:first-child { white-space: normal; max-width: none; min-width: 8rem; }
.costs thead th { white-space: normal; }
.compare .failed { color: var(--series-6); font-style: italic; }
.compare .stopped { color: var(--muted); font-style: italic; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.25rem; margin: 0 0 1rem;
  padding: 0; font-size: .9375rem; }
.legend li { display: flex; align-items: center; gap: .5rem; overflow-wrap: anywhere; }
.swatch { flex: none; width: 22px; height: 10px; display: inline-block; vertical-align: middle; }
.note { font-size: .875rem; color: var(--muted); margin: .75rem 0 0; }
.facts { margin: 0; display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.facts div { display: flex; gap: 1rem; padding: .4rem 0; border-bottom: 1px solid var(--faint);
  font-size: .9375rem; }
.facts dt { flex: 0 0 7.5rem; color: var(--muted); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.facts.apart { grid-template-columns: 1fr; }
.apart dt { flex-basis: 30%; overflow-wrap: anywhere; }
.bars { margin: 0; font-size: .9375rem; }
.bars div { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr 5rem; gap: .75rem;
  align-items: center; padding: .2rem 0; }
.bars dt { overflow-wrap: anywhere; } .bars dd { margin: 0; }
.bars .bar { height: .7rem; border-radius: 2px; background: var(--accent); min-width: 1px; }
.bars .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bars .task { margin-top: .7rem; font-weight: 600; }
.bars .task:first-child { margin-top: 0; }
.bars .task .bar { visibility: hidden; }
details { border-top: 1px solid var(--rule); padding: .6rem 0; }
details:first-of-type { border-top: 0; padding-top: 0; }
details:last-of-type { padding-bottom: 0; }
a { color: var(--accent); }
summary { cursor: pointer; font-size: .9375rem; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
.nested { margin: 0; font-size: .875rem; }
details > .nested { margin-top: .6rem; }
.nested div { display: flex; gap: 1rem; padding: .2rem 0; }
.nested .part { display: block; }
.nested dt { flex: 0 0 10rem; color: var(--muted); overflow-wrap: anywhere; }
.nested dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.nested .part > dd { padding-left: .9rem; border-left: 2px solid var(--faint); margin: .2rem 0; }
.nested table { font-size: .8125rem; }
@media (max-width: 30rem) {
  main { padding: 1.5rem .9rem 3rem; }
  figure, .card { padding: .75rem; }
  .lead strong { font-size: 2.75rem; }
  table { font-size: .8125rem; }
  th, td { padding: .35rem; }
  thead th { font-size: .75rem; }
  .pair table { font-size: .75rem; }
  .compare th:first-child { min-width: 6.5rem; max-width: 8.5rem; overflow-wrap: anywhere; }
  .pair th, .pair td { padding: .3rem .2rem; }
  .nested dt { flex-basis: 7rem; }
  .bars div { grid-template-columns: 7.5rem 1fr 4rem; gap: .5rem; font-size: .875rem; }
  .facts dt { flex-basis: 6.5rem; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --muted: #444; --rule: #bbb; --accent: #1f5a8c;
    --on-accent: #fff; --faint: #e4e4e4;
    --series-0: #0067a5; --series-1: #c4501b; --series-2: #00856a; --series-3: #a8478c;
    --series-4: #8a6d00; --series-5: #3c8fce; --series-6: #b3202c; --series-7: #4d4f53;
  }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  @page { margin: 14mm; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.5rem; break-after: avoid; }
  .pair { grid-template-columns: 1fr 1fr; }
  .facts { grid-template-columns: 1fr 1fr; }
  .made, details { display: none; }
  .compare, .compare thead th { font-size: 7pt; }
  .compare th, .compare td { padding: .15rem; white-space: normal; }
  .compare th:first-child { min-width: 5rem; max-width: 8rem; overflow-wrap: anywhere; }
  .compare b::after { content: "\\2605"; }
}
"""
