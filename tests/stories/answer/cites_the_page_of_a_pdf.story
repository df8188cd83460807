pdf manual.pdf: Switch the machine on with the green button. | Descale the machine every 200 cups with citric acid. | The warranty lasts 24 months.
ingest manual.pdf
ask-baseline How often must the machine be descaled?
expect answered
expect json /citations/0/source == "manual.pdf"
expect json /citations/0/page == 2
expect json /citations/0/quote contains "200 cups"
expect quotes-match
