encrypted-pdf secret.pdf: Hidden words
run loam ingest secret.pdf
expect exit 2
expect out matches failed
expect out matches encrypted|password
