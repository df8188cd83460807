file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
ask-baseline When does unused leave expire?
expect answered
expect json /answer contains "31 March"
expect json /baseline/answer contains "31 March"
expect json /tokens/prompt == 0
expect quotes-match
