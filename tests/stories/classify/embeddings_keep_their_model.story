# A classifier on embeddings carries its model's fingerprint; without that model it says so.
file tickets.csv:
    text,label
    I want my money back,refund
    please refund the lamp,refund
    return my payment,refund
    cash back please,refund
    where is my parcel,delivery
    the package has not arrived,delivery
    the courier is late,delivery
    when will it be shipped,delivery
run loam classify fit tickets.csv -o e.classifier --method embeddings+logreg --json
expect exit 0
expect json /embedder == "all-minilm-l6-v2"
run-input loam classify predict e.classifier --json
    {"text": "reimburse me"}
    {"text": "my shipment is delayed"}
expect exit 0
expect out lines 2
expect out contains "label":"refund"
expect out contains "label":"delivery"
models none
run-input loam classify predict e.classifier
    hello
expect exit 2
expect err contains all-minilm-l6-v2
