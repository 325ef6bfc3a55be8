import Foundation
import PlueConfig
import TestGround
import Testing

@testable import PlueSecrets

@Suite struct `A keyring` {
    let first: DataKey
    let second: DataKey

    init() throws {
        first = try .counting(from: 0)
        second = try .counting(from: 1)
    }

    private func states(_ keyring: Keyring) -> [Keyring.State] { keyring.entries.map(\.state) }

    // MARK: - The life of a key

    @Test func `Takes a key from pending over active and decrypt-only to retired`() throws {
        var keyring = Keyring(first, created: .someDay)
        #expect(states(keyring) == [.active])
        let old = try keyring.seal(Secret("one"), at: .database)
        try keyring.add(second, created: .someDay)
        #expect(states(keyring) == [.active, .pending])
        #expect(keyring.activeID == first.id)
        try keyring.promote(second.id)
        #expect(states(keyring) == [.decryptOnly, .active])
        let new = try keyring.resealed(old, at: .database)
        #expect(new.keyID == second.id)
        #expect(try keyring.resealed(new, at: .database) == new)
        #expect(try keyring.open(old, at: .database).exposed == "one")
        #expect(throws: KeyringError.needed(first.id, by: ["base.ini"])) { try keyring.retire(first.id, neededBy: ["base.ini"]) }
        try keyring.retire(first.id, neededBy: [])
        #expect(states(keyring) == [.retired, .active])
        #expect(keyring[first.id]?.key == nil)
        #expect(try keyring.open(new, at: .database).exposed == "one")
    }

    @Test func `Opens what is sealed with a key that is still pending, since another machine may have promoted it`() throws {
        var keyring = Keyring(first, created: .someDay)
        try keyring.add(second, created: .someDay)
        let early = try Keyring(second, created: .someDay).seal(Secret("early"), at: .database)
        #expect(try keyring.open(early, at: .database).exposed == "early")
    }

    @Test func `Refuses every step out of turn and stays as it was`() throws {
        var keyring = Keyring(first, created: .someDay)
        try keyring.add(second, created: .someDay)
        let before = keyring
        #expect(throws: KeyringError.duplicate(first.id)) { try keyring.add(first, created: .someDay) }
        #expect(throws: KeyringError.wrongState(first.id, .active, needed: .pending)) { try keyring.promote(first.id) }
        #expect(throws: KeyringError.wrongState(first.id, .active, needed: .decryptOnly)) { try keyring.retire(first.id, neededBy: []) }
        #expect(throws: KeyringError.wrongState(second.id, .pending, needed: .decryptOnly)) { try keyring.retire(second.id, neededBy: []) }
        let stranger = try DataKey.counting(from: 9).id
        #expect(throws: KeyringError.unknown(stranger)) { try keyring.promote(stranger) }
        #expect(throws: KeyringError.unknown(stranger)) { try keyring.retire(stranger, neededBy: []) }
        #expect(keyring == before)
        try keyring.promote(second.id)
        try keyring.retire(first.id, neededBy: [])
        #expect(throws: KeyringError.wrongState(first.id, .retired, needed: .pending)) { try keyring.promote(first.id) }
        // A retired key does not come back, not even with its bytes.
        #expect(throws: KeyringError.duplicate(first.id)) { try keyring.add(first, created: .someDay) }
    }

    @Test func `Has exactly one active key after any steps at all`() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20 {
            var keyring = Keyring(DataKey(), created: .someDay)
            for _ in 0..<60 {
                let id = keyring.entries.randomElement(using: &generator)?.id ?? first.id
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: try keyring.add(DataKey(), created: .someDay)
                case 1: try? keyring.promote(id)
                default: try? keyring.retire(id, neededBy: [])
                }
                #expect(keyring.entries.count { $0.state == .active } == 1)
                #expect(keyring.entries.allSatisfy { ($0.key == nil) == ($0.state == .retired) })
                #expect(try Keyring(parsing: keyring.text, name: "keyring") == keyring)
            }
        }
    }

    @Test func `Has a bound`() throws {
        var keyring = Keyring(first, created: .someDay)
        for _ in 1..<Keyring.mostKeys { try keyring.add(DataKey(), created: .someDay) }
        #expect(throws: KeyringError.full) { try keyring.add(DataKey(), created: .someDay) }
        #expect(keyring.text.count <= Keyring.longestText)
        #expect(try Keyring(parsing: keyring.text, name: "keyring") == keyring)
    }

    @Test func `Makes new keys that are all different`() {
        #expect(Set((0..<100).map { _ in DataKey().id }).count == 100)
    }

    // MARK: - As text

    @Test func `Is written so that people can read it, too`() throws {
        var keyring = Keyring(first, created: .someDay)
        try keyring.add(second, created: .someDay + 0.7)
        try keyring.promote(second.id)
        try keyring.retire(first.id, neededBy: [])
        #expect(
            String(decoding: keyring.text, as: UTF8.self) == """
                # Plue's data keys: whoever reads this file can read every encrypted value. It belongs to one user, with mode 0600.
                # Written by 'plue secret'; comments do not stay.

                [key.k3265311639]
                state = retired
                created = 2026-11-24T06:00:00Z

                [key.\(second.id)]
                state = active
                created = 2026-11-24T06:00:00Z
                wrapping = none
                key = AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA

                """)
    }

    /// What is wrong with a text, as `line:column message`.
    private func problems(_ text: String) -> [String] {
        do {
            _ = try Keyring(parsing: Array(text.utf8), name: "keyring")
            return []
        } catch {
            return error.problems.map { "\($0.location.map { "\($0.line):\($0.column) " } ?? "")\($0.message)" }
        }
    }

    @Test func `Is read with comments, CRLF and a byte order mark`() {
        #expect(problems(KeyringTexts.good) == [])
        #expect(problems("\u{FEFF}# mine\r\n" + KeyringTexts.good.replacing("\n", with: "\r\n")) == [])
        #expect(problems(KeyringTexts.retired + KeyringTexts.good) == [])
    }

    @Test func `Says where and why it cannot be read`() throws {
        let good = KeyringTexts.good
        func changed(_ old: String, _ new: String) -> String { good.replacing(old, with: new) }
        let cases: [(String, [String])] = [
            ("", ["the keyring cannot be used: no key is active; exactly one has to be"]),
            (KeyringTexts.retired, ["the keyring cannot be used: no key is active; exactly one has to be"]),
            (changed("= active", "= pending"), ["the keyring cannot be used: no key is active; exactly one has to be"]),
            (changed("= active", "= Active"), ["2:9 'state' must be pending, active, decrypt-only, retired"]),
            (changed("= none", "= age"), ["4:12 'wrapping' must be none"]),
            (changed("T06:00:00Z", ""), ["3:11 'created' must be a time such as 2026-11-24T06:27:30Z"]),
            (changed("T06:00:00Z", "T06:00:00+01:00"), ["3:11 'created' must be a time such as 2026-11-24T06:27:30Z"]),
            (changed("key = AAEC", "key = AAEd"), ["1:2 the key in [key.k3265311639] is not k3265311639: its name would be k65743b50b8"]),
            (changed("Hh8", "Hh9"), ["5:7 'key' must be 32 bytes in base64url, 43 characters"]),
            (changed("Hh8", "Hh8="), ["5:7 'key' must be 32 bytes in base64url, 43 characters"]),
            (changed("Hh8", ""), ["5:7 'key' must be 32 bytes in base64url, 43 characters"]),
            (changed("= AAEC", "= \"AAEC").replacing("Hh8", with: "Hh8\""), ["5:7 'key' must be 32 bytes in base64url, 43 characters"]),
            (changed("state = active\n", ""), ["1:2 'state' is missing in [key.k3265311639]"]),
            (
                changed("created", "made"),
                [
                    "3:1 unknown key 'made'; a data key has state, created, wrapping and key",
                    "1:2 'created' is missing in [key.k3265311639]",
                ]
            ),
            (good + "note = mine\n", ["6:1 unknown key 'note'; a data key has state, created, wrapping and key"]),
            ("[keyring]\nformat = 1\n" + good, ["1:2 [keyring] is not a key's section, [key.k…] with ten hex digits"]),
            (good + "[key.K3265311639]\n", ["6:2 [key.K3265311639] is not a key's section, [key.k…] with ten hex digits"]),
            (good + "[key.k3265311639]\n", ["6:2 [key.k3265311639] is there twice"]),
            (good + KeyringTexts.retired + "key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", ["9:1 a retired key has no 'key'"]),
            (good + "state = active\n", ["6:1 'state' is set twice in [key.k3265311639]"]),
            (
                good + good,
                [
                    "7:1 'state' is set twice in [key.k3265311639]", "8:1 'created' is set twice in [key.k3265311639]",
                    "9:1 'wrapping' is set twice in [key.k3265311639]", "10:1 'key' is set twice in [key.k3265311639]",
                ]
            ),
            (good + "x\n", ["6:1 the line has no '='"]),
        ]
        for (text, expected) in cases {
            let found = problems(text)
            #expect(found == expected, "\(text)")
            #expect(!found.joined().contains("AwQFBgcI"), "\(found)")
        }
        let both =
            good + KeyringTexts.retired.replacing("retired", with: "active").replacing("k0000000000", with: second.id.rawValue)
            + "wrapping = none\nkey = AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\n"
        #expect(problems(both) == ["7:9 the keyring cannot be used: more than one key is active; exactly one has to be"])
    }

    @Test func `Random changes of its text never trap, and what is read is written as it was meant`() throws {
        var generator = SystemRandomNumberGenerator()
        var keyring = Keyring(first, created: .someDay)
        try keyring.add(second, created: .someDay)
        try keyring.promote(second.id)
        let seeds = [keyring.text, Array(KeyringTexts.good.utf8), Array((KeyringTexts.retired + KeyringTexts.good).utf8)]
        let spice = Array("[]=\"'\\\n\r,#;${}: \t".utf8) + [0, 0xFF, 0xC3]
        let end = ContinuousClock.now + fuzzTime
        while ContinuousClock.now < end {
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes.insert(spice.randomElement(using: &generator) ?? 0, at: index)
                case 1 where index < bytes.count: bytes.remove(at: index)
                case 2 where index < bytes.count: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                case 3: bytes.removeLast(Int.random(in: 0...bytes.count / 4, using: &generator))
                default: bytes.insert(contentsOf: bytes.prefix(Int.random(in: 0...60, using: &generator)), at: index)
                }
            }
            do {
                let read = try Keyring(parsing: bytes, name: "fuzz")
                #expect(try Keyring(parsing: read.text, name: "again") == read)
            } catch {
                #expect(!error.problems.isEmpty)
            }
        }
    }
}
