import Foundation
import PlueDocuments
import SystemPackage
import TestGround
import Testing

@testable import PlueConfig

private struct Values: Settings {
    var a = "", b = "", c = "", d = "", e = "", f = ""
    var list: [String] = []
    var number = 5
    var secret = Secret("")

    static let schema = Schema<Self> {
        Setting("a", \.a)
        Setting("b", \.b)
        Setting("c", \.c)
        Setting("d", \.d)
        Setting("e", \.e)
        Setting("f", \.f)
        Setting("list", \.list)
        Setting("number", \.number, .range(0...9))
        Setting("secret", \.secret)
    }
}

private struct App: Settings {
    var v = Values()
    static let schema = Schema<Self> { Section("v", \.v) }
}

@Suite("Fuzz: substitution")
struct SubstitutionFuzzTests {
    /// Seconds for each test: short by default, as long as wanted with PLUE_FUZZ_SECONDS.
    private static let seconds = ProcessInfo.processInfo.environment["PLUE_FUZZ_SECONDS"].flatMap(Double.init) ?? 2
    private static let names = ["a", "b", "c", "d", "e", "f"]
    private static let canary = "canary-61b1d0"
    /// What a variable holds is never expanded, however much it looks like a reference.
    private static let variables = ["PLAIN": "plain", "EMPTY": "", "TRICK": "${PLAIN}$${config:v.a}", "QUOTES": "\"'\\,;#"]

    private static func road(_ texts: [String: String]) -> Road<App> {
        var road = Road(App.self, texts, variables: variables)
        road.secrets = ["/run/secret": canary]
        return road
    }

    @Test func `Random settings that refer to each other become what the rules say, or are refused`() throws {
        let start = UInt64(Date().timeIntervalSince1970)
        let end = ContinuousClock.now + .seconds(Self.seconds)
        var (accepted, refused) = (0, 0)
        var seed = start
        while ContinuousClock.now < end {
            seed += 1
            var random = SeededGenerator(seed: seed)
            let model = Model(names: Self.names, variables: Self.variables, secret: Self.canary, using: &random)
            let road = Self.road(["base.ini": "[v]\n" + model.lines.joined(separator: "\n") + "\n"])
            let expected = Self.names.map { model.value(of: $0) }
            do {
                let snapshot = try road.plan().snapshot
                for (name, expected) in zip(Self.names, expected) {
                    let content = try #require(snapshot.settings[SettingKey(section: "v", name: name)]).content
                    #expect(content.value == expected.map { .string($0.text) }, "seed \(seed), v.\(name) in \(model.lines)")
                    #expect(content.isSecret == expected?.isSecret, "seed \(seed), v.\(name) in \(model.lines)")
                }
                accepted += 1
            } catch let rejection as Rejection {
                #expect(expected.contains { $0 == nil }, "seed \(seed): \(rejection.diagnostics) for \(model.lines)")
                refused += 1
            }
        }
        #expect(accepted > 20 && refused > 20)
    }

    @Test func `No documents make the road trap, each refusal has a place in them, and no secret is told`() throws {
        let start = UInt64(Date().timeIntervalSince1970)
        let end = ContinuousClock.now + .seconds(Self.seconds)
        let seeds = [
            "[v]\na = ${PLAIN}\nb = x${config:v.a}y\nlist = a, ${QUOTES}, \"${PLAIN}\"\nsecret = ${file:/run/secret}\n",
            "[v]\nc = ${NONE:-text}\nd = ${file:/run/secret}\ne = ${config:v.d}$${PLAIN}\nnumber = 12\nsecret = canary-61b1d0\n",
            "[profile]\nextends = base\n[v]\nnumber = ${NONE:?say so}\nf = \"\"\"\n  ${TRICK}\n  \"\"\"\nlist = 'a', ${config:v.list}\n",
        ].map { Array($0.utf8) }
        let spice = Array("[]=\"'\\\n\r,#;${}: \t".utf8) + [0, 0xFF, 0xC3, 0xE2]
        let forms = ["${", "}", "$${", "${config:v.a}", "${file:/run/secret}", "${NONE}", ":-", ":?", "${config:v.secret}", "[v]\n"].map {
            Array($0.utf8)
        }
        var (accepted, refused) = (0, 0)
        var seed = start
        while ContinuousClock.now < end {
            seed += 1
            var random = SeededGenerator(seed: seed)
            var texts: [String: [UInt8]] = [:]
            for name in ["base.ini", "development.ini"] {
                var bytes = seeds.randomElement(using: &random) ?? []
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    let index = Int.random(in: 0...bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes.insert(spice.randomElement(using: &random) ?? 0, at: index)
                    case 1 where index < bytes.count: bytes.remove(at: index)
                    case 2 where index < bytes.count: bytes[index] = spice.randomElement(using: &random) ?? 0
                    default: bytes.insert(contentsOf: forms.randomElement(using: &random) ?? [], at: index)
                    }
                }
                texts[name] = bytes
            }
            var candidate = Candidate(environment: .development, texts: [:], variables: Self.variables, overrides: [])
            candidate.replace(.base, with: texts["base.ini"] ?? [])
            candidate.replace(.profile, with: texts["development.ini"] ?? [])
            candidate.secretFiles["/run/secret"] = .success("file-" + Self.canary)
            let pipeline = Pipeline(schema: App.schema, model: App.schema.model, services: ServiceSet<App>(), files: MemoryFiles())
            var diagnostics: [Diagnostic]
            do {
                let planned = try pipeline.plan(candidate, beside: nil)
                diagnostics = planned.plan.warnings
                #expect(!diagnostics.hasErrors)
                accepted += 1
            } catch {
                diagnostics = error.diagnostics
                #expect(diagnostics.hasErrors, "seed \(seed)")
                refused += 1
            }
            for location in diagnostics.compactMap(\.location) {
                let lines = (texts[location.file] ?? []).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                #expect(lines.indices.contains(location.line - 1), "seed \(seed): \(location)")
                guard lines.indices.contains(location.line - 1) else { continue }
                #expect((1...lines[location.line - 1].count + 1).contains(location.column), "seed \(seed): \(location)")
            }
            // The secret's file is told by nothing; the literal one is, as soon as a mutation makes it another key's.
            #expect(!DiagnosticText(colour: false).render(diagnostics).contains("file-" + Self.canary), "seed \(seed)")
        }
        #expect(accepted > 20 && refused > 20)
    }
}

/// Settings made of pieces, with what they are worth by the rules of DESIGN.md §4, worked out without the code under test.
private struct Model {
    private enum Piece {
        case literal(String)
        case variable(String, fallback: String?)
        case setting(String)
        case file
    }

    private let variables: [String: String]
    private let secret: String
    private var settings: [String: [Piece]] = [:]
    private(set) var lines: [String] = []

    init(names: [String], variables: [String: String], secret: String, using random: inout SeededGenerator) {
        self.variables = variables
        self.secret = secret
        for name in names.shuffled(using: &random) {
            let pieces = (0..<Int.random(in: 0...3, using: &random)).map { _ in Self.piece(names, Array(variables.keys), &random) }
            settings[name] = pieces
            lines.append("\(name) = \"\(pieces.map(Self.written).joined())\"")
        }
    }

    private static func piece(_ names: [String], _ variables: [String], _ random: inout SeededGenerator) -> Piece {
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<3:
            let name = random.next() % 8 == 0 ? "NONE" : variables.sorted().randomElement(using: &random) ?? "NONE"
            return .variable(name, fallback: Bool.random(using: &random) ? literal(&random, of: "ab :-$") : nil)
        case 3..<5: return .setting(names.randomElement(using: &random) ?? "a")
        case 5: return .file
        default: return .literal(literal(&random, of: "ab ${}:-\"\\\n,;#é'"))
        }
    }

    private static func literal(_ random: inout SeededGenerator, of characters: String) -> String {
        String((0..<Int.random(in: 0...6, using: &random)).compactMap { _ in characters.randomElement(using: &random) })
    }

    private static func written(_ piece: Piece) -> String {
        switch piece {
        case .variable(let name, let fallback): "${\(name)\(fallback.map { ":-\($0)" } ?? "")}"
        case .setting(let name): "${config:v.\(name)}"
        case .file: "${file:/run/secret}"
        case .literal(let text): escaped(text)
        }
    }

    private static func escaped(_ text: String) -> String {
        var written = ""
        for (index, character) in text.enumerated() {
            let next = text.dropFirst(index + 1).first
            switch character {
            case "\"": written += "\\\""
            case "\\": written += "\\\\"
            case "\n": written += "\\n"
            case "$" where next == "{": written += "$${"
            case "{" where index > 0 && text.dropFirst(index - 1).first == "$": continue
            // At the end it would join what follows.
            case "$" where next == nil || next == "$": written += "\\u{24}"
            default: written.append(character)
            }
        }
        return written
    }

    /// What a setting is worth; `nil` when it cannot be resolved.
    func value(of name: String, behind open: Set<String> = []) -> (text: String, isSecret: Bool)? {
        guard let pieces = settings[name], !open.contains(name) else { return nil }
        var (text, isSecret) = ("", false)
        for piece in pieces {
            switch piece {
            case .literal(let literal): text += literal
            case .file: (text, isSecret) = (text + secret, true)
            case .variable(let name, let fallback):
                let value = variables[name]
                guard let part = (value ?? "").isEmpty ? fallback ?? value : value else { return nil }
                text += part
            case .setting(let other):
                guard let part = value(of: other, behind: open.union([name])) else { return nil }
                (text, isSecret) = (text + part.text, isSecret || part.isSecret)
            }
        }
        return (text, isSecret)
    }
}
