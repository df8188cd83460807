#include "eval/html_page.h"

#include <algorithm>

#include "eval/svg.h"

namespace loam::eval {
namespace {

// The page may load nothing at all: what it shows is in it.
constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
)";

constexpr std::string_view kStyle = R"(<style>
:root{--ground:#fff;--ink:#1b1f24;--mute:#5b6570;--line:#e0e4e8;--soft:#f5f7f9;--strong:#1f66d1}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--ink:#e9ecf0;--mute:#a3adb8;--line:#2d343d;--soft:#1b2027;--strong:#7ab0ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.55;font-size:16px;
font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',Arial,sans-serif}
main{max-width:54rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.4rem 0 .6rem}
p{margin:.6rem 0;max-width:44rem;overflow-wrap:anywhere}
.lead{font-size:1.12rem;border-left:4px solid var(--strong);padding:.1rem 0 .1rem 1rem;margin:1rem 0 1.6rem}
.note{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.6rem .9rem;font-size:.93rem}
ul{padding-left:1.3rem;max-width:44rem}
li{margin:.25rem 0;overflow-wrap:anywhere}
figure{margin:1.2rem 0;overflow-x:auto}
figure svg{display:block;max-width:100%;height:auto;min-width:30rem;border:1px solid var(--line);border-radius:8px}
figcaption,caption{color:var(--mute);font-size:.88rem;text-align:left;padding:.35rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.42rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--mute);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;white-space:nowrap}
tr.strong td{font-weight:600}
tr.strong td:first-child{box-shadow:inset 3px 0 0 var(--strong)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;font-size:.93rem;margin:.6rem 0}
dt{color:var(--mute)}
dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3rem;color:var(--mute);font-size:.85rem;border-top:1px solid var(--line);padding-top:.8rem}
@media (max-width:34rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
@media print{main{max-width:none;padding:0}figure,table{break-inside:avoid}}
</style>
)";

std::string element(std::string_view tag, std::string_view text) {
  return "<" + std::string(tag) + ">" + markup(text) + "</" + std::string(tag) + ">";
}

}  // namespace

HtmlPage& HtmlPage::lead(std::string_view text) {
  body_ += "<p class=\"lead\">" + markup(text) + "</p>\n";
  return *this;
}

HtmlPage& HtmlPage::heading(std::string_view text) {
  body_ += element("h2", text) + "\n";
  return *this;
}

HtmlPage& HtmlPage::paragraph(std::string_view text) {
  body_ += element("p", text) + "\n";
  return *this;
}

HtmlPage& HtmlPage::note(std::string_view text) {
  body_ += "<p class=\"note\">" + markup(text) + "</p>\n";
  return *this;
}

HtmlPage& HtmlPage::list(const std::vector<std::string>& items) {
  if (items.empty()) return *this;
  body_ += "<ul>\n";
  for (const std::string& item : items) body_ += element("li", item) + "\n";
  body_ += "</ul>\n";
  return *this;
}

HtmlPage& HtmlPage::facts(const std::vector<std::pair<std::string, std::string>>& named) {
  if (named.empty()) return *this;
  body_ += "<dl>\n";
  for (const auto& [name, value] : named) body_ += element("dt", name) + element("dd", value) + "\n";
  body_ += "</dl>\n";
  return *this;
}

HtmlPage& HtmlPage::table(const HtmlTable& table) {
  const auto open = [&](const char* tag, std::size_t column) {
    const bool right = column < table.columns.size() && table.columns[column].align == CellAlign::right;
    return std::string("<") + tag + (right ? " class=\"n\"" : "");
  };
  body_ += "<div class=\"scroll\"><table>\n";
  if (!table.caption.empty()) body_ += element("caption", table.caption) + "\n";
  body_ += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    body_ += open("th", i) + " scope=\"col\">" + markup(table.columns[i].name) + "</th>";
  body_ += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const bool strong =
        std::find(table.strong_rows.begin(), table.strong_rows.end(), r) != table.strong_rows.end();
    body_ += strong ? "<tr class=\"strong\">" : "<tr>";
    for (std::size_t i = 0; i < table.rows[r].size(); ++i)
      body_ += open("td", i) + ">" + markup(table.rows[r][i]) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  return *this;
}

HtmlPage& HtmlPage::figure(std::string_view svg, std::string_view caption) {
  body_ += "<figure>\n" + std::string(svg);
  if (!caption.empty()) body_ += element("figcaption", caption) + "\n";
  body_ += "</figure>\n";
  return *this;
}

std::string HtmlPage::text(std::string_view made_by) const {
  return std::string(kHead) + element("title", title_) + "\n" + std::string(kStyle) +
         "</head>\n<body>\n<main>\n" + element("h1", title_) + "\n" + body_ + "<footer>Made by " +
         markup(made_by) +
         ". This page stands alone: it loads nothing and sends "
         "nothing.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace loam::eval
