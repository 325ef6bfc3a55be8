// The code of Documentation/WritingRules.md. It is compiled, and not run.
import PlueConfig
import SystemPackage

private enum Rules {
    struct PoolSettings: Settings {
        enum Mode: String, CaseIterable, SettingValue { case session, transaction }

        var url = ""
        var mode = Mode.session
        var poolMin = 1
        var poolMax = 10
        var hosts: [String] = []
        var certificate: FilePath?
        var password: Secret<String>?
        var workMemory = ByteSize.mebibytes(4)

        static let schema = Schema<Self> {
            Setting("url", \.url, .required, .pattern("^postgres://"), "Where the database is.")
            Setting("mode", \.mode, "What a lease holds on to.")
            Setting("pool_min", \.poolMin, .range(0...), "Connections kept open.")
            Setting("pool_max", \.poolMax, .range(1...1000), .restart, "Most connections.")
            Setting("hosts", \.hosts, .each(.notEmpty), .unique(), "Hosts in the order they are tried.")
            Setting("certificate", \.certificate, .readable, "PEM file that the server is checked against.")
            Setting("password", \.password, .notEmpty, "Password of the login.")
            Setting("work_memory", \.workMemory, .custom("must be a multiple of 64KiB") { size, _ in size.bytes % 65536 == 0 })

            Rule("pool_min is at most pool_max", blames: \.poolMin, \.poolMax) { settings, _ in
                settings.poolMin <= settings.poolMax
            }
            Rule("a pool of one serves no production", blames: \.poolMax, severity: .warning) { settings, context in
                context.environment != "production" || settings.poolMax > 1
            }
            Rule("hosts are in one domain", blames: \.hosts) { settings, _ in
                let strays = settings.hosts.filter { !$0.hasSuffix(".example") }
                return strays.isEmpty ? nil : "\(strays.joined(separator: ", ")) is not in .example"
            }
        }
    }

    /// A type of the program's own.
    struct Percentage: SettingValue {
        var value: Int

        static var kind: ValueKind { .integer(minimum: 0, maximum: 100) }

        init(setting text: SettingText) throws(ConversionProblem) {
            guard let number = Int(text.scalar), (0...100).contains(number) else {
                throw ConversionProblem(expected: "a whole number from 0 to 100")
            }
            value = number
        }

        var plainValue: PlainValue { .integer(value) }
    }
}
