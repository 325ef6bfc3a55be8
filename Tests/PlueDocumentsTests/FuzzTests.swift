import Foundation
import PlueDocuments
import TestGround
import Testing

@Suite("Fuzz")
struct FuzzTests {
    /// Seconds for this suite: short by default, as long as wanted with PLUE_FUZZ_SECONDS.
    static let seconds = ProcessInfo.processInfo.environment["PLUE_FUZZ_SECONDS"].flatMap(Double.init) ?? 2

    @Test("no bytes make the parser trap, and what parses can be read through and edited")
    func bytes() throws {
        var generator = SeededGenerator(seed: UInt64(Date().timeIntervalSince1970))
        let seeds = [
            "[a]\nk = v\n[b.c]\nl = \"x\\n\" # c\nm = 'y'\n", "[s]\nk = \"\"\"\n  a\n  b\n  \"\"\"\n",
            "\u{FEFF}[s]\r\nk = a, \"b,c\", ${X:-1,2}\r\n",
        ].map { Array($0.utf8) }
        let spice = Array("[]=\"'\\\n\r,#;${}: \t\u{FEFF}é".utf8) + [0, 0xFF, 0xC3]
        let end = ContinuousClock.now + .seconds(Self.seconds)
        var parsed = 0
        while ContinuousClock.now < end {
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let index = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.insert(spice.randomElement(using: &generator) ?? 0, at: index)
                case 1 where index < bytes.count: bytes.remove(at: index)
                case 2 where index < bytes.count: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                default: bytes.insert(contentsOf: bytes.prefix(Int.random(in: 0...20, using: &generator)), at: index)
                }
            }
            do {
                var document = try Document(parsing: bytes, name: "fuzz")
                parsed += 1
                for section in document.sections {
                    for entry in document.entries[section.entries] {
                        _ = document.text(of: entry)
                        _ = try? document.items(of: entry)
                        _ = document.place(of: Int(entry.valueRange.start))
                    }
                }
                try document.set("fuzzed", in: "fuzz", to: "1")
                #expect(document.firstEntry(section: "fuzz", key: "fuzzed") != nil)
            } catch let error as SyntaxErrors {
                #expect(!error.problems.isEmpty, "seed bytes \(bytes)")
            }
        }
        #expect(parsed > 100)
    }
}
