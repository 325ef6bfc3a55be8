import Dispatch
import Foundation
import TestGround
import Testing

@testable import PlueConfig

@Suite struct `Secret memory` {
    private let memory = SecretMemory()

    private func bytes(_ text: String, in memory: SecretMemory? = nil) -> SecretBytes {
        Array(text.utf8).withUnsafeBytes { SecretBytes($0, in: memory ?? self.memory) }
    }

    @Test func `Is erased when the last reference is gone, while its neighbours stay`() throws {
        let before = bytes("before")
        var secret: SecretBytes? = bytes("erase me")
        let after = bytes("after")
        var copy = secret
        let place = try #require(secret).withBytes { UnsafeRawBufferPointer(start: $0.baseAddress, count: 32) }
        secret = nil
        #expect(place.prefix(8).elementsEqual("erase me".utf8))
        copy = nil
        #expect(copy == nil && place.allSatisfy { $0 == 0 })
        #expect(before.text == "before" && after.text == "after")
        // The next one finds the place clean, and takes it.
        let next = bytes("next")
        #expect(next.withBytes { $0.baseAddress } == place.baseAddress)
        #expect(place.elementsEqual(Array("next".utf8) + [UInt8](repeating: 0, count: 28)))
    }

    @Test func `Is shared by many small secrets, and given back`() {
        var secrets = (0..<5_000).map { bytes("secret number \($0)") }
        // 32 bytes each, and not a page each.
        #expect(memory.usage.locked + memory.usage.unlocked == (5_000 * 32 + 4095) / 4096 * 4096)
        for (number, secret) in secrets.enumerated() { #expect(secret.text == "secret number \(number)") }
        secrets.removeAll()
        #expect(memory.usage.locked + memory.usage.unlocked == 4096)
        withExtendedLifetime(secrets) {}
    }

    @Test func `Locks no more than it may, and keeps the rest all the same`() {
        let memory = SecretMemory(limit: 8192)
        let secrets = (0..<1_000).map { bytes("secret number \($0)", in: memory) }
        let large = bytes(String(repeating: "x", count: 100_000), in: memory)
        #expect(memory.usage.locked <= 8192)
        #expect(memory.usage.unlocked >= 100_000)
        for (number, secret) in secrets.enumerated() { #expect(secret.text == "secret number \(number)") }
        #expect(large.text.utf8.count == 100_000)
    }

    @Test func `Is locked and left out of core dumps`() throws {
        let secret = bytes("locked")
        let address = secret.withBytes { UInt(bitPattern: $0.baseAddress) }
        // `7f…-7f… rw-p …`, and below it what the kernel says of that mapping.
        var flags: [Substring]?
        var isHere = false
        let smaps = try #require(try FileHandle(forReadingAtPath: "/proc/self/smaps")?.readToEnd())
        for line in String(decoding: smaps, as: UTF8.self).split(separator: "\n") {
            let range = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if range.count == 2 { isHere = range[0] <= address && address < range[1] }
            if isHere, line.hasPrefix("VmFlags:") { flags = line.dropFirst(8).split(separator: " ") }
        }
        let found = try #require(flags)
        #expect(found.contains("dd"))
        #expect(found.contains("lo") == (memory.usage.locked > 0))
        withExtendedLifetime(secret) {}
    }

    @Test func `Gives nobody what another one holds, whatever comes and goes`() {
        var generator = SeededGenerator(seed: 11)
        var held: [(secret: SecretBytes, content: [UInt8])] = []
        for _ in 0..<6_000 {
            if held.count > 300 || (!held.isEmpty && Bool.random(using: &generator)) {
                let index = Int.random(in: held.indices, using: &generator)
                #expect(held[index].secret.withBytes { $0.elementsEqual(held[index].content) })
                held.swapAt(index, held.count - 1)
                held.removeLast()
            } else {
                let size = Int.random(in: 0...(Int.random(in: 0..<20, using: &generator) == 0 ? 9_000 : 1_100), using: &generator)
                let content = [UInt8](repeating: UInt8.random(in: 1 ... .max, using: &generator), count: size)
                held.append((content.withUnsafeBytes { SecretBytes($0, in: memory) }, content))
            }
        }
        for (secret, content) in held { #expect(secret.withBytes { $0.elementsEqual(content) }) }
        held.removeAll()
        // At most one page of each size is kept for the next secret.
        #expect(memory.usage.locked + memory.usage.unlocked <= SecretMemory.slotSizes.count * 4096)
    }

    @Test func `May be used by many threads`() {
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            for round in 0..<300 {
                let secrets = (0..<20).map { bytes("worker \(worker) round \(round) secret \($0)") }
                #expect(secrets.indices.allSatisfy { secrets[$0].text == "worker \(worker) round \(round) secret \($0)" })
            }
        }
    }
}
