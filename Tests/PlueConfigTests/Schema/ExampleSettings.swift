import PlueConfig

/// The settings of DESIGN.md §5, as a user writes them.
struct ServerSettings: Settings {
    var host = "127.0.0.1"
    var port = 8080
    var debug = false
    var requestTimeout: Duration = .seconds(30)

    static let schema = Schema<Self> {
        Setting("host", \.host, .notEmpty, "Address the listener binds.")
        Setting("port", \.port, .required, .range(1...65535), "TCP port.")
        Setting("debug", \.debug, "Verbose errors; never in production.")
        Setting("request_timeout", \.requestTimeout, .range(.seconds(1) ... .seconds(600)), "Longest a request may take.")
    }
}

struct SecuritySettings: Settings {
    var secretKey = Secret("")
    var jwtSecret: Secret<String>?

    static let schema = Schema<Self> {
        Setting("secret_key", \.secretKey, .required, .length(4...), "Signs sessions.")
        Setting("jwt_secret", \.jwtSecret, "Signs tokens.")
    }
}

struct AppSettings: Settings {
    var server = ServerSettings()
    var security = SecuritySettings()

    static let schema = Schema<Self> {
        Section("server", \.server)
        Section("security", \.security)
        Rule("debug is off in production", blames: \.server.debug) { settings, context in
            context.environment != "production" || !settings.server.debug
        }
    }
}
