file tickets.csv:
    text,label
    money back,refund
    refund please,refund
    my money,refund
    late parcel,delivery
    where is the parcel,delivery
    the driver with the parcel,delivery
run loam classify fit tickets.csv -o t.classifier --method bm25-knn --quiet
file new.csv:
    id;text;note
    a1;the parcel;"x; y"
    a2;;none
    a3;my money back;last
run loam classify predict t.classifier new.csv
expect exit 0
expect out contains id;text;note;predicted;probability;decision
expect out matches a1;the parcel;"x; y";delivery;0\.\d+;ask a person
expect out contains a2;;none;;;ask a person: empty text
expect err contains 3 texts
file new.jsonl:
    {"id": 7, "text": "the parcel"}
    broken line
    {"id": 8, "other": "x"}
run loam classify predict t.classifier new.jsonl
expect exit 0
expect out lines 3
expect out contains "not a JSON object"
expect out contains no text under
