// PlueLedger
