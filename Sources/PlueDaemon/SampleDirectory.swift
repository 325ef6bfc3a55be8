/// What `plue init` writes: documents to start from.
public enum SampleDirectory {
    /// Names and texts.
    public static let documents: [(name: String, text: String)] = [
        (
            "base.ini",
            """
            # Shared by every environment; what a profile says wins. 'plue schema --as ini' lists every setting.

            [server]
            max_connections = 1000
            request_timeout = 30s

            [security]
            # From the environment, never from this file. Uncomment what you use.
            # secret_key = ${PLUE_SECRET_KEY}
            # database_password = ${PLUE_DB_PASSWORD}
            # jwt_secret = ${PLUE_JWT_SECRET}

            """
        ),
        ("development.ini", "[server]\nhost = 127.0.0.1\nport = 8080\ndebug = true\n"),
        ("staging.ini", "[server]\nhost = 127.0.0.1\nport = 8081\n"),
        ("production.ini", "[profile]\nextends = staging\n\n[server]\nhost = 0.0.0.0\nport = 80\n\n[logging]\nformat = json\n"),
    ]
}
