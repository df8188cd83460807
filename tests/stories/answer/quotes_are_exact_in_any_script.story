file tarif.md:
    # Preisliste

    Die Übernachtung im Gästehaus kostet 85 € pro Nacht. Frühstück („Brötchen & Müsli“) kostet 12 €.

    # 料金表

    駐車場は一日八百円です。

    # Entfernung

    Der naïve Weg 🚲 führt über die Brücke.
ingest tarif.md
ask-baseline Was kostet die Übernachtung im Gästehaus?
expect answered
expect json /citations/0/quote contains "85 €"
expect quotes-match
