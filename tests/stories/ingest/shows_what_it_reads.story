file page.html: <html><head><title>Shop</title><script>evil()</script></head><body><h1>Opening hours</h1><p>We open at <b>nine</b>.</p></body></html>
run loam ingest --show-text page.html
expect exit 0
expect out contains Opening hours
expect out contains We open at nine.
expect out lacks evil
run loam ingest --show-text page.html --json
expect json /title == "Shop"
expect json /media_type == "text/html"
run loam collections
expect exit 1
