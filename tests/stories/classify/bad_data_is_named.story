# Each mistake gets one line that says what is wrong and what to do; nothing is dropped without a word.
file one.csv:
    text,label
    hello there,x
    good morning,x
    good night,x
run loam classify compare one.csv --methods tfidf+logreg
expect exit 2
expect err contains "x"
file cols.csv:
    body,kind
    hello there,x
run loam classify compare cols.csv
expect exit 2
expect err contains body
expect err contains --text
run loam classify compare nowhere.csv
expect exit 2
expect err contains nowhere.csv
file stray.csv:
    text,label
    money back,refund
    refund please,Refund
    my money,refund
    the money,refund
    late parcel,delivery
    where is the parcel,delivery
    the driver with the parcel,delivery
    ,delivery
    the parcel outside,delivery
    no label here,
run loam classify fit stray.csv -o s.classifier --method bm25-knn --json
expect exit 0
expect json /labels/length == 3
expect err contains stray label
expect err contains empty text
expect err contains missing label
run loam classify fit stray.csv -o s.classifier --method bm25-knn --merge-labels --json
expect exit 0
expect json /labels/length == 2
run loam classify compare stray.csv --methods magic
expect exit 2
expect err contains bm25-knn
file broken.classifier: LOAMCLAS but not really
run-input loam classify predict broken.classifier
    hello
expect exit 2
expect err contains bad data
run-input loam classify predict s.classifier --target 0.77
    hello
expect exit 2
expect err contains 0.95
run-input loam classify predict s.classifier
expect exit 1
