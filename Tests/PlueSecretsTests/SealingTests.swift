import PlueConfig
import TestGround
import Testing

@testable import PlueSecrets

@Suite struct `An encrypted value` {
    static let vector =
        "enc:v1:k3265311639:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAiVv9ggRpjwtbjM11PC5iiiudjLbEpHR80mkXb9YoOaY9MoU9vW6vj-zrets2sesYxmZ_"
        + "CSEk1xO_lXPoLo1yohAyIFhHfctDNoiP_tjCBk4"

    let key: DataKey
    let keyring: Keyring

    init() throws {
        key = try .counting(from: 0)
        keyring = Keyring(key, created: .someDay)
    }

    private func seal(_ text: String, at place: ValuePlace = .database) throws -> EncryptedValue {
        try keyring.seal(Secret(text), at: place)
    }

    private func open(_ token: String, at place: ValuePlace = .database) throws(OpeningError) -> String {
        let value: EncryptedValue
        do { value = try EncryptedValue(parsing: token) } catch { throw .malformed(error) }
        return try keyring.open(value, at: place).exposed
    }

    @Test func `Is the published one, byte for byte`() throws {
        #expect(key.id.rawValue == "k3265311639")
        let sealed = try Secret("correct horse").withExposedBytes { bytes throws in
            try Sealing.seal(bytes, with: key, at: .database, salt: [UInt8](repeating: 0, count: 24))
        }
        #expect(sealed.description == Self.vector)
        #expect(try open(Self.vector) == "correct horse")
    }

    @Test(arguments: Array(0...100) + [4095, 65_535, 65_536])
    func `Opens to the text it was made of`(length: Int) throws {
        let text = String(repeating: "ü", count: length / 2) + String(repeating: "x", count: length % 2)
        let value = try seal(text)
        #expect(try open(value.description) == text)
        #expect(value.ciphertext.count % 32 == 0 && value.ciphertext.count > length && value.ciphertext.count <= length + 32)
        #expect(try EncryptedValue(parsing: value.description) == value)
    }

    @Test func `Holds 64 KiB at most`() throws {
        #expect(throws: SealingError.tooLong) { try seal(String(repeating: "x", count: 65_537)) }
        let longest = try seal(String(repeating: "x", count: 65_536))
        let longer = EncryptedValue(
            keyID: key.id, salt: longest.salt, commitment: longest.commitment,
            ciphertext: longest.ciphertext + [UInt8](repeating: 0, count: 32), tag: longest.tag)
        #expect(throws: TokenProblem.tooLong) { try EncryptedValue(parsing: longer.description) }
        #expect(throws: TokenProblem.tooLong) { try EncryptedValue(parsing: "enc:v1:" + String(repeating: "A", count: 10_000_000)) }
    }

    @Test func `Is another one each time`() throws {
        let values = try (0..<50).map { _ in try seal("same") }
        #expect(Set(values.map(\.salt)).count == 50)
        #expect(Set(values.map(\.ciphertext)).count == 50)
    }

    @Test func `Tells what is wrong with its text`() {
        let cases: [(String, TokenProblem)] = [
            ("", .notEncrypted), ("secret", .notEncrypted), ("enc:", .notEncrypted), ("enc:v:", .notEncrypted), ("enc:v1", .notEncrypted),
            ("ENC:V1:k3265311639:", .notEncrypted), ("e\u{301}nc:v1:", .notEncrypted), (" " + Self.vector, .notEncrypted),
            ("enc:v2:k3265311639:AAAA", .unknownVersion), ("enc:v01:k3265311639:AAAA", .unknownVersion),
            ("enc:v1:", .invalidKeyID), ("enc:v1:K3265311639:AA", .invalidKeyID), ("enc:v1:k326531163:AA", .invalidKeyID),
            ("enc:v1:k326531163G:AA", .invalidKeyID), ("enc:v1::", .invalidKeyID), ("enc:v1:k326531163é:AA", .invalidKeyID),
            ("enc:v1:k3265311639", .truncated), ("enc:v1:k3265311639:", .truncated), ("enc:v1:k3265311639:AAAA", .truncated),
            (Self.vector + "=", .invalidBase64), (Self.vector + ":", .invalidBase64), (Self.vector + "\n", .invalidBase64),
            (Self.vector.replacing("-", with: "+"), .invalidBase64), (Self.vector.replacing("_", with: "/"), .invalidBase64),
            // Bits that the last byte does not need, set.
            (String(Self.vector.dropLast()) + "l", .invalidBase64), (Self.vector + "AAAA", .truncated),
        ]
        for (text, problem) in cases {
            #expect(throws: problem, "\(text)") { try EncryptedValue(parsing: text) }
        }
    }

    @Test func `Is told from a text that only looks a little like one`() {
        for text in ["enc:v1:", "enc:v1:x", "enc:v7:x", "enc:v10:", Self.vector] { #expect(EncryptedValue.isClaimed(by: text), "\(text)") }
        for text in ["enc:", "enc:v", "enc:v1", "enc:vault:x", "ENC:v1:x", " enc:v1:x", "env:v1:x", ""] {
            #expect(!EncryptedValue.isClaimed(by: text), "\(text)")
        }
    }

    @Test func `With any one character changed, left out, doubled or swapped does not open`() throws {
        var opened: [String] = []
        var causes = Set<String>()
        func attempt(_ bytes: [UInt8]) {
            let text = String(decoding: bytes, as: UTF8.self)
            guard text != Self.vector else { return }
            do {
                _ = try open(text)
                opened.append(text)
            } catch {
                causes.insert(String(describing: error).prefix { $0 != "(" && $0 != " " }.description)
            }
        }
        let bytes = Array(Self.vector.utf8)
        for index in bytes.indices {
            var changed = bytes
            for byte in UInt8(ascii: " ")...UInt8(ascii: "~") {
                changed[index] = byte
                attempt(changed)
            }
            for byte: UInt8 in [0, 9, 10, 13, 127, 0xC3, 0xFF] {
                changed[index] = byte
                attempt(changed)
            }
            changed = bytes
            changed.remove(at: index)
            attempt(changed)
            changed = bytes
            changed.insert(bytes[index], at: index)
            attempt(changed)
            if index > 0 {
                changed = bytes
                changed.swapAt(index, index - 1)
                attempt(changed)
            }
        }
        #expect(opened == [])
    }

    @Test func `Cut anywhere does not open`() throws {
        for text in ["correct horse", String(repeating: "long", count: 100)] {
            let token = try seal(text).description
            for length in 0..<token.utf8.count {
                #expect(throws: OpeningError.self) { try open(String(token.prefix(length))) }
                #expect(throws: OpeningError.self) { try open(String(token.suffix(length))) }
            }
        }
    }

    @Test func `Says of each bit that is flipped which part was altered`() throws {
        let vector = try EncryptedValue(parsing: Self.vector)
        func expect(_ error: OpeningError, _ part: KeyPath<EncryptedValue, [UInt8]>, _ make: ([UInt8]) -> EncryptedValue) {
            for bit in 0..<(vector[keyPath: part].count * 8) {
                var bytes = vector[keyPath: part]
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: error) { try keyring.open(make(bytes), at: .database) }
            }
        }
        func value(
            salt: [UInt8]? = nil, commitment: [UInt8]? = nil, ciphertext: [UInt8]? = nil, tag: [UInt8]? = nil
        ) -> EncryptedValue {
            EncryptedValue(
                keyID: vector.keyID, salt: salt ?? vector.salt, commitment: commitment ?? vector.commitment,
                ciphertext: ciphertext ?? vector.ciphertext, tag: tag ?? vector.tag)
        }
        expect(.altered(key.id), \.salt) { value(salt: $0) }
        expect(.altered(key.id), \.commitment) { value(commitment: $0) }
        expect(.notForThisPlace(key.id, .database), \.ciphertext) { value(ciphertext: $0) }
        expect(.notForThisPlace(key.id, .database), \.tag) { value(tag: $0) }
    }

    @Test func `Opens at its own place alone`() throws {
        let parts: [WritableKeyPath<ValuePlace.Parts, String>] = [\.application, \.profile, \.section, \.key, \.type]
        for part in parts {
            for other in ["", "other", "password2", "Password", "database", "string", "list of string"] {
                let place = ValuePlace.database.with(part, other)
                guard place != .database else { continue }
                #expect(throws: OpeningError.notForThisPlace(key.id, place)) { try open(Self.vector, at: place) }
            }
        }
    }

    @Test func `Does not open where the parts of its place are only divided elsewhere`() throws {
        let place = ValuePlace(application: "a", profile: "b", section: "c.d", key: "e", type: "f")
        let token = try seal("x", at: place).description
        for other in [
            ValuePlace(application: "a", profile: "bc", section: ".d", key: "e", type: "f"),
            ValuePlace(application: "a", profile: "b", section: "c", key: "d.e", type: "f"),
            ValuePlace(application: "ab", profile: "", section: "c.d", key: "e", type: "f"),
            ValuePlace(application: "a", profile: "b", section: "c.d", key: "ef", type: ""),
            // The same to a String, other bytes.
            ValuePlace(application: "a", profile: "b", section: "c.d", key: "e\u{301}", type: "f"),
        ] {
            #expect(throws: OpeningError.self) { try open(token, at: other) }
        }
        let composed = ValuePlace(application: "a", profile: "b", section: "c", key: "\u{E9}", type: "f")
        let decomposed = ValuePlace(application: "a", profile: "b", section: "c", key: "e\u{301}", type: "f")
        #expect(composed != decomposed)
        let accent = try seal("x", at: composed).description
        #expect(throws: OpeningError.self) { try open(accent, at: decomposed) }
    }

    @Test func `Opens with the key it names and no other`() throws {
        var keyring = keyring
        let other = try DataKey.counting(from: 1)
        try keyring.add(other, created: .someDay)
        try keyring.promote(other.id)
        #expect(try keyring.open(EncryptedValue(parsing: Self.vector), at: .database).exposed == "correct horse")
        let renamed = try EncryptedValue(parsing: Self.vector.replacing(key.id.rawValue, with: other.id.rawValue))
        #expect(throws: OpeningError.altered(other.id)) { try keyring.open(renamed, at: .database) }
        let stranger = try Keyring(.counting(from: 2), created: .someDay).seal(Secret("x"), at: .database)
        #expect(throws: OpeningError.unknownKey(stranger.keyID)) { try keyring.open(stranger, at: .database) }
        try keyring.retire(key.id, neededBy: [])
        #expect(throws: OpeningError.retiredKey(key.id)) { try keyring.open(EncryptedValue(parsing: Self.vector), at: .database) }
    }

    @Test func `Whose content is no text of ours is refused, though it is authentic`() throws {
        let bytes: [[UInt8]] = [[0xFF], [0xC3], Array("a".utf8) + [0x80]]
        for bytes in bytes {
            let value = try bytes.withUnsafeBytes { bytes throws in
                try Sealing.seal(bytes, with: key, at: .database, salt: [UInt8](repeating: 7, count: 24))
            }
            #expect(throws: OpeningError.notText(key.id)) { try keyring.open(value, at: .database) }
        }
    }

    @Test func `Unpadding takes nothing but the padding that sealing adds`() throws {
        func unpadded(_ bytes: [UInt8]) -> Int? { bytes.withUnsafeBytes { Sealing.unpadded($0)?.count } }
        let zeros = [UInt8](repeating: 0, count: 31)
        #expect(unpadded([0x80] + zeros) == 0)
        #expect(unpadded(zeros + [0x80]) == 31)
        #expect(unpadded([1, 0x80] + zeros.dropFirst()) == 1)
        #expect(unpadded([]) == nil)
        #expect(unpadded(zeros + [0]) == nil)
        #expect(unpadded(zeros + [0x81]) == nil)
        #expect(unpadded([1] + zeros) == nil)
        // A block more than is needed.
        #expect(unpadded([0x80] + zeros + [0] + zeros) == nil)
        #expect(unpadded([1, 0x80] + zeros.dropFirst() + [0] + zeros) == nil)
    }

    @Test func `Random texts are never values and never traps`() throws {
        var generator = SeededGenerator(seed: 1)
        let alphabet = Array("enc:v1:k3265311639:ABCabc019-_=+/ \n\0é".utf8) + [0xFF, 0x80]
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            let text = (Bool.random(using: &generator) ? "enc:v1:k3265311639:" : "") + String(decoding: bytes, as: UTF8.self)
            #expect(throws: OpeningError.self) { try open(text) }
        }
    }

    @Test func `Whatever parses prints as the same text`() throws {
        var generator = SystemRandomNumberGenerator()
        let seeds = try (["", "x", String(repeating: "y", count: 40)].map { Array(try seal($0).description.utf8) })
        let end = ContinuousClock.now + fuzzTime
        var parsed = 0
        while ContinuousClock.now < end {
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.insert(UInt8.random(in: .min ... .max, using: &generator), at: index)
                case 1 where index < bytes.count: bytes.remove(at: index)
                case 2 where index < bytes.count: bytes[index] = bytes.randomElement(using: &generator) ?? 0
                default: bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let value = try? EncryptedValue(parsing: text) else { continue }
            parsed += 1
            #expect(value.description == text)
            if !seeds.contains(Array(text.utf8)) { #expect(throws: OpeningError.self) { try keyring.open(value, at: .database) } }
        }
        #expect(parsed > 10)
    }

    @Test func `Nothing that is thrown or printed holds a text or a key`() throws {
        let canary = "canary-f00dfeed-canary"
        let value = try seal(canary)
        var said = ""
        for place in [ValuePlace.database, .database.with(\.key, "other")] {
            do {
                dump(try keyring.open(value, at: place), to: &said)
            } catch {
                said += "\(error) \(error.hint) \(String(reflecting: error))"
            }
        }
        dump(keyring, to: &said)
        dump(key, to: &said)
        said += "\(keyring) \(key) \(String(reflecting: keyring)) \(value) \(String(reflecting: value))"
        #expect(said.contains(key.id.rawValue))
        #expect(!said.contains("canary"))
        #expect(!said.contains("AAECAwQF") && !said.contains("0, 1, 2, 3"))
        #expect(!said.contains("000102030405"))
    }
}
