# A CSV file, no option at all, and no knowledge of machine learning. proves P-ADVISE-08
file tickets.csv:
    id,message,team
    1,I want my money back for the lamp,refund
    2,please refund the broken lamp,refund
    3,money back for my order please,refund
    4,refund of the invoice please,refund
    5,the lamp is broken I want a refund,refund
    6,give me my money back today,refund
    7,refund my broken kettle,refund
    8,I return the lamp for a refund,refund
    9,my money please the kettle is broken,refund
    10,refund the order it came broken,refund
    11,where is my parcel,delivery
    12,the parcel has not arrived,delivery
    13,the driver is late with my parcel,delivery
    14,when will the parcel arrive,delivery
    15,parcel lost by the driver,delivery
    16,my delivery is late,delivery
    17,the driver left the parcel outside,delivery
    18,late delivery of the parcel again,delivery
    19,the driver did not ring and took the parcel,delivery
    20,parcel still not here where is the driver,delivery
run loam advise tickets.csv --methods majority,tfidf+logreg,bm25-knn
expect exit 0
expect err contains sorting "message" into "team" (guessed
expect out contains METHOD
expect out contains A month at 100 items a day
expect out contains What would change this
expect out contains Next:
run loam advise tickets.csv --methods majority,tfidf+logreg --json
expect exit 0
expect json /verdict is text
expect json /headline is text
expect json /because is list
expect json /methods/length == 2
expect json /methods/0/month/machine_hours is number
expect json /situation/task == "classify"
expect json /learning is list
