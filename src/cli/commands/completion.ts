/** `mailmerge completion`: the script that teaches a shell to complete. Owns the scripts; the words come from `completion.ts`. */
import { didYouMean } from '../../did-you-mean.ts'
import { UsageError } from '../../errors.ts'
import { escapeInvisible } from '../../text/visible.ts'
import type { Action } from '../command.ts'
import { COMPLETE_FLAG } from '../completion.ts'
import type { Io } from '../terminal/io.ts'

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const
type Shell = (typeof SHELLS)[number]

export const completion: Action = {
  usage: 'completion [shell]',
  describe: 'Print a completion script for your shell',
  positionals: { shell: { describe: `${SHELLS.join(', ')}; default the one that you use`, choices: SHELLS } },
  epilogue: [
    'Add a line to the start-up file of your shell:',
    '  ~/.bashrc                   source <(mailmerge completion bash)',
    '  ~/.zshrc, after compinit    source <(mailmerge completion zsh)',
    '  ~/.config/fish/config.fish  mailmerge completion fish | source',
    '  $PROFILE of PowerShell      mailmerge completion powershell | Out-String | iex',
  ].join('\n'),
  options: {},
  run(args, { io, out }) {
    const word = args.text('shell')
    const shell =
      word === undefined ? shellOf(io) : SHELLS.find((one) => one === word || (one === 'powershell' && word === 'pwsh'))
    if (shell === undefined) {
      throw new UsageError(`there is no completion for the shell '${escapeInvisible(word ?? '')}'`, {
        hint: didYouMean(word ?? '', SHELLS, `There is one for ${SHELLS.join(', ')}.`),
      })
    }
    out.raw(SCRIPTS[shell])
    return Promise.resolve(0)
  },
}

function shellOf({ env }: Io): Shell {
  const name = (env['SHELL'] ?? '').split('/').at(-1)
  const known = SHELLS.find((shell) => shell === name)
  return known ?? (process.platform === 'win32' ? 'powershell' : 'bash')
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of mailmerge for bash.
_mailmerge_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(mailmerge ${COMPLETE_FLAG} "\${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null))
}
complete -o default -o bashdefault -F _mailmerge_complete mailmerge
`,
  zsh: `#compdef mailmerge
# Completion of mailmerge for zsh.
_mailmerge() {
  local -a offered
  offered=("\${(@f)$(mailmerge ${COMPLETE_FLAG} "\${(@)words[1,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${offered[1]}" ]]; then compadd -a offered; else _files; fi
}
compdef _mailmerge mailmerge
`,
  fish: `# Completion of mailmerge for fish.
function __mailmerge_complete
    mailmerge ${COMPLETE_FLAG} (commandline -opc) (commandline -ct) 2>/dev/null
end
complete -c mailmerge -n 'test -n "$(__mailmerge_complete | string collect)"' -f -a '(__mailmerge_complete)'
`,
  powershell: `# Completion of mailmerge for PowerShell.
Register-ArgumentCompleter -Native -CommandName mailmerge -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '""' }
    mailmerge ${COMPLETE_FLAG} @words 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
`,
}
