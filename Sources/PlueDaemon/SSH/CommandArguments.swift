/// The words behind a command's name: options with and without a value, and the rest.
struct CommandArguments {
    /// What is not an option, in order.
    private(set) var words: [String] = []
    private var values: [String: [String]] = [:]

    /// What is wrong with how a command was written, as a sentence.
    struct Problem: Error { let sentence: String }

    /// - Parameters:
    ///   - valued: The options that take a value, as `--reason TEXT` or `--reason=TEXT`.
    ///   - flags: Those that do not.
    init(_ arguments: some Sequence<String>, valued: Set<String>, flags: Set<String>) throws(Problem) {
        var rest = Array(arguments)[...]
        while let word = rest.popFirst() {
            if word == "--" {
                words += rest
                return
            }
            guard word.hasPrefix("--") else {
                words.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts.first ?? word
            switch (valued.contains(name), flags.contains(name), parts.count) {
            case (true, _, 2): values[name, default: []].append(parts[1])
            case (true, _, _):
                guard let value = rest.popFirst() else { throw Problem(sentence: "\(name) takes a value") }
                values[name, default: []].append(value)
            case (_, true, 1): values[name] = []
            case (_, true, _): throw Problem(sentence: "\(name) takes no value")
            default: throw Problem(sentence: "there is no option '\(name)' here; 'help' lists what there is")
            }
        }
    }

    /// All values of an option.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// An option's value; `nil` when it is not given.
    /// - Throws: When it is given twice.
    func one(_ name: String) throws(Problem) -> String? {
        let all = all(name)
        if all.count > 1 { throw Problem(sentence: "\(name) is given once") }
        return all.first
    }

    func has(_ flag: String) -> Bool { values[flag] != nil }

    /// The one word there may be.
    func word(_ what: String) throws(Problem) -> String? {
        if words.count > 1 { throw Problem(sentence: "one \(what) at a time") }
        return words.first
    }
}
