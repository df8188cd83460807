config [ask]; answer_tokens = 16
file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
ask How many days of annual leave do full-time employees have?
expect answered
expect json /answer contains "27"
expect json /citations/0/source == "leave_policy.md"
expect json /citations/0/quote contains "27 days"
expect quotes-match
