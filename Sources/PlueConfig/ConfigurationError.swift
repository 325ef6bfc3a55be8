/// What can keep a configuration from being loaded or changed, by when it happens.
public enum ConfigurationError: Error, Sendable {
    // When a manager is made.

    /// The schema contradicts itself; each contradiction as a sentence.
    case contradictorySchema([String])
    /// The configuration is invalid; nothing has been started.
    case invalid([Diagnostic])

    // When services are registered or started.

    /// The registration cannot be: a name taken, a dependency unknown, a property no section is declared for, a manager that runs.
    case registration(String)
    /// A service could not be brought up.
    case start(StartFailure)

    // While it runs.

    /// A change was refused before it came to the documents' contents.
    case change(ChangeRefusal)
    /// The history could not be read or written.
    case history(String)
}

extension ConfigurationError: CustomStringConvertible {
    /// The first problem, in one sentence, and how many more there are; never a value.
    public var description: String {
        switch self {
        case .contradictorySchema(let sentences): "the schema contradicts itself: " + sentences.joined(separator: "; ")
        case .invalid(let diagnostics):
            (diagnostics.first { $0.severity == .error }.map(\.message) ?? "the configuration is invalid")
                + (diagnostics.count > 1 ? " (and \(diagnostics.count - 1) more)" : "")
        case .registration(let problem), .history(let problem): problem
        case .start(let failure): failure.problem
        case .change(let refusal): refusal.description
        }
    }
}
