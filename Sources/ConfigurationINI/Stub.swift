// ConfigurationINI
