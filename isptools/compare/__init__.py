"""Tables of methods: trained and scored where that is not done yet, beside what papers print."""
