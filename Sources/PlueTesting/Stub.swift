// PlueTesting
