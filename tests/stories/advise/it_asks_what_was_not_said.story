# Questions with their defaults; a typing mistake is asked for again; what a file says is not asked.
file tickets.csv:
    text,label
    I want my money back for the lamp,refund
    please refund the broken lamp,refund
    money back for my order please,refund
    refund of the invoice please,refund
    give me my money back today,refund
    refund my broken kettle,refund
    where is my parcel,delivery
    the parcel has not arrived,delivery
    the driver is late with my parcel,delivery
    when will the parcel arrive,delivery
    parcel lost by the driver,delivery
    late delivery of the parcel again,delivery
    the parcel was left at another door,Delivery
file answers.toml:
    [advise]
    latency = 100
    privacy = "own-network"
    currency = "USD"
run-input loam advise tickets.csv --methods majority,tfidf+logreg --questions always --answers answers.toml --check-cost 2 --json
    text
    label
    lots
    500
    20
    0
    perhaps
    yes
expect exit 1
expect err contains How many items come in a day? [100]
expect err contains loam: bad request: the answer
expect err contains 1 row has a label that differs
expect err contains merged
expect err contains What does a wrong result cost
expect err lacks May the texts leave
expect err lacks What does it cost when a person
expect json /situation/items_per_day == 500
expect json /situation/error_cost == 20
expect json /situation/check_cost == 2
expect json /situation/currency == "USD"
expect json /situation/reach == "own-network"
expect json /situation/target == 0.9
