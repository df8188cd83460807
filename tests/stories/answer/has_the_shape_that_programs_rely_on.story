config [ask]; answer_tokens = 16
file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
ask How many weeks of paid parental leave does the other parent get?
expect answered
expect json /answer is text
expect json /abstained == false
expect json /confidence >= 0
expect json /confidence <= 1
expect json /reason is null
expect json /sentences/0/text is text
expect json /sentences/0/supported == true
expect json /sentences/0/citations == [1]
expect json /citations/0/id == 1
expect json /citations/0/page is null
expect json /citations/0/start is number
expect json /citations/0/end is number
expect json /citations/0/why/bm25 is number|null
expect json /citations/0/why/cosine is number|null
expect json /citations/0/why/rerank is null
expect json /baseline/answer is text
expect json /baseline/citations is list
expect json /model is text
expect json /adapters == []
expect json /timings_ms/retrieve is number
expect json /timings_ms/rerank is number
expect json /timings_ms/prefill is number
expect json /timings_ms/decode is number
expect json /timings_ms/total > 0
expect json /tokens/prompt > 0
expect json /tokens/reused is number
expect json /tokens/answer >= 0
