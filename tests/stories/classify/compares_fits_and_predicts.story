# From a CSV file to labels, without a language model. proves P-CLASS-08
file tickets.csv:
    message,team
    I want my money back,refund
    please refund the broken lamp,refund
    money back for my order,refund
    refund of the invoice please,refund
    the lamp is broken I want a refund,refund
    give me my money back today,refund
    refund my broken kettle,refund
    I return the lamp for a refund,refund
    where is my parcel,delivery
    the parcel has not arrived,delivery
    the driver is late with my parcel,delivery
    when will the parcel arrive,delivery
    parcel lost by the driver,delivery
    my delivery is late,delivery
    the driver left the parcel outside,delivery
    late delivery of the parcel again,delivery
run loam classify compare tickets.csv --text message --label team --methods majority,tfidf+logreg,bm25-knn --json
expect exit 0
expect json /methods/length == 3
expect json /methods/0/accuracy/value is number
expect json /methods/0/accuracy/low is number
expect json /methods/0/automation/0/target is number
expect json /methods/0/automation/0/coverage is number
expect json /recommended is text
expect json /reason is text
run loam classify fit tickets.csv --text message --label team -o team.classifier --method tfidf+logreg
expect exit 0
expect file team.classifier
run-input loam classify predict team.classifier
    the parcel is late, where is the driver
    please give me a refund of my money
expect exit 0
expect out lines 2
expect out matches delivery.*ask a person.*parcel is late
expect out matches refund.*ask a person.*refund of my money
run loam ledger --json
expect json /runs/length == 3
