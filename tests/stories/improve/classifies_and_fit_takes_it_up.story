# What is told apart by two words together is beyond a weight for each word: the nearest texts see it.
models none
file make.py:
    import random
    random.seed(3)
    rows = open('tickets.csv', 'w')
    rows.write('text,label\n')
    for i in range(240):
        a, b = random.choice('ab'), random.choice('xy')
        rows.write('%s%s%s note%d %s%s%s,%s\n' % (a, a, a, i, b, b, b, 'same' if (a == 'a') == (b == 'x') else 'other'))
shell python3 make.py
run loam improve classify --data tickets.csv --trials 12 --json
expect exit 0
expect json /task == "classify"
expect json /metric == "accuracy"
expect json /trials <= 12
expect json /notes/0 contains "embedding model"
expect json /adopted == true
expect json /winner/changes/classify.method == "bm25-knn"
run loam classify fit tickets.csv -o t.classifier --json
expect json /method == "bm25-knn"
expect json /reason contains "loam improve"
run loam classify fit tickets.csv -o t.classifier --method tfidf+logreg --json
expect json /method == "tfidf+logreg"
run loam improve --undo --data tickets.csv
expect exit 0
run loam improve classify --data tickets.csv --trials 9 --text body
expect exit 2
expect err contains body
file one.csv:
    text,label
    a,x
    b,x
run loam improve classify --data one.csv --trials 3
expect exit 2
expect err contains nothing to tell apart
file few.csv:
    text,label
    money back,refund
    parcel late,delivery
    my money,refund
    my parcel,delivery
run loam improve classify --data few.csv --trials 3
expect exit 2
expect err contains too few
expect err contains 15
