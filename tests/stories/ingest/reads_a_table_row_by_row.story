file prices.csv: Article,Price\nEspresso beans 1 kg,18.50\nFilter paper,3.20
ingest prices.csv
ask-baseline What is the price of filter paper?
expect answered
expect json /answer contains "3.20"
expect quotes-match
