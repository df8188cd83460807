pdf two.pdf: The first page is about lamps. | The second page is about chairs.
ingest two.pdf
search chairs
expect exit 0
expect json / keys hits
expect json /hits/0/source == "two.pdf"
expect json /hits/0/page is number
expect json /hits/0/start is number
expect json /hits/0/end is number
expect json /hits/0/text contains "chairs"
expect json /hits/0/score > 0
expect json /hits/0/why/bm25 is number|null
expect json /hits/0/why/cosine is number|null
expect json /hits/0/why/rerank is null
